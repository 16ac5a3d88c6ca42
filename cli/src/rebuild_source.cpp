#include "rebuild_source.h"

#include "source_archive.h"

#include "base/error.h"
#include "base/process.h"
#include "base/text.h"
#include "image/digest.h"

#include <algorithm>
#include <optional>
#include <unistd.h>

namespace cli {
namespace {

namespace fs = std::filesystem;
using base::Error;
using base::ErrorKind;

constexpr const char* git_schemes[] = {"https://", "http://", "ssh://", "git://"};

// As `git rev-parse --local-env-vars` has them.
bool names_a_repository(std::string_view variable) {
    static constexpr std::string_view names[] = {"GIT_DIR=",
                                                 "GIT_WORK_TREE=",
                                                 "GIT_INDEX_FILE=",
                                                 "GIT_OBJECT_DIRECTORY=",
                                                 "GIT_ALTERNATE_OBJECT_DIRECTORIES=",
                                                 "GIT_COMMON_DIR=",
                                                 "GIT_NAMESPACE=",
                                                 "GIT_PREFIX=",
                                                 "GIT_SHALLOW_FILE=",
                                                 "GIT_QUARANTINE_PATH="};
    return std::any_of(std::begin(names), std::end(names),
                       [&](std::string_view name) { return variable.starts_with(name); });
}

base::Captured git(const fs::path& repository, const std::vector<std::string>& arguments,
                   const base::Stop& stop, const std::vector<std::string>& settings = {}) {
    base::Command command;
    command.argv = {"git", "-C", repository.string()};
    command.argv.insert(command.argv.end(), settings.begin(), settings.end());
    command.argv.insert(command.argv.end(), arguments.begin(), arguments.end());
    // The person's own git, with their keys and their settings; not with the repository of the hook
    // or alias that started us.
    for (char** entry = ::environ; *entry; ++entry)
        if (!names_a_repository(*entry)) command.environment.emplace_back(*entry);
    return base::run(std::move(command), stop);
}

bool has_commit(const fs::path& repository, const std::string& commit, const base::Stop& stop) {
    return git(repository, {"cat-file", "-e", commit + "^{commit}"}, stop).status.ok();
}

// Of a server on this machine, for those who may read it: as it is, for its builds do so, too.
std::optional<builder::GitTree> find_kept(const proof::Provenance& provenance,
                                          const std::string& commit, const Context& context) {
    if (provenance.source.kind != "git" || provenance.app.find('/') != std::string::npos) return {};
    const auto kept = context.state_directory() / "repositories" / (provenance.app + ".git");
    std::error_code unreadable;
    if (!fs::is_directory(kept / "objects", unreadable)) return {};
    // Its owner is the server's user.
    const auto there = git(kept, {"cat-file", "-e", commit + "^{commit}"}, context.interrupted,
                           {"-c", "safe.directory=*"});
    if (!there.status.ok()) return {};
    return builder::GitTree{kept, commit, {}};
}

// What git may be asked to fetch from: "ext::sh -c ..." is an address for it, too.
std::string address_of(const proof::Provenance& provenance) {
    auto uri = provenance.source.uri;
    if (uri.starts_with("git+")) uri.erase(0, 4);
    const bool known = std::any_of(std::begin(git_schemes), std::end(git_schemes),
                                   [&](const char* scheme) { return uri.starts_with(scheme); });
    return known ? uri : std::string();
}

// All of it or a commit of it: a server may hand out either.
void fetch(const fs::path& repository, const std::string& from, const std::string& commit,
           const std::string& ref, const base::Stop& stop) {
    auto fetched = git(repository, {"fetch", "--quiet", "--no-tags", "--", from, commit}, stop);
    if (!fetched.status.ok() && !ref.empty())
        fetched = git(repository, {"fetch", "--quiet", "--no-tags", "--", from, ref}, stop);
    if (has_commit(repository, commit, stop)) return;
    const auto why = base::trim(fetched.error);
    throw Error(ErrorKind::not_found,
                "the commit " + commit + " is not in " + base::quoted(from) +
                    (why.empty() ? "" : ": " + base::printable(why.substr(0, 300))),
                "Give a clone that has it: --source DIR.");
}

builder::Source bring_commit(const proof::Provenance& provenance, const std::string& commit,
                             const std::string& given, const fs::path& scratch,
                             const Context& context) {
    if (given.empty())
        if (auto kept = find_kept(provenance, commit, context)) return std::move(*kept);
    const auto from = given.empty() ? address_of(provenance) : fs::absolute(given).string();
    if (from.empty())
        throw Error(ErrorKind::invalid_input, "nobody says where the commit " + commit + " is",
                    "Give a clone that has it: --source DIR.");
    const auto repository = scratch / "source.git";
    fs::create_directories(repository);
    if (const auto made =
            git(repository, {"init", "--quiet", "--bare", "--shared=all"}, context.interrupted);
        !made.status.ok())
        throw Error(ErrorKind::unavailable, "git is needed to fetch the source: " + made.error);
    fetch(repository, from, commit, provenance.source.ref, context.interrupted);
    return builder::GitTree{repository, commit, {}};
}

// As `slipway build` and `slipway deploy` pack it.
fs::path pack(const fs::path& directory, const std::string& digest, const fs::path& scratch,
              const base::Stop& stop) {
    const auto archive = scratch / "source.tar";
    for (const auto& form :
         {SourceArchive{}, SourceArchive{.root = "source"},
          SourceArchive{.root = "source", .compression = image::Compression::gzip}}) {
        write_source_archive(directory, archive, stop, form);
        if (image::digest_of_file(archive).hex() == digest) return archive;
    }
    throw Error(ErrorKind::invalid_input,
                base::quoted(directory.string()) + " is not the source of this image any more",
                "Its archive had the checksum sha256:" + digest + ".");
}

builder::Source bring_archive(const proof::Provenance& provenance, const std::string& digest,
                              const std::string& given, const fs::path& scratch,
                              const base::Stop& stop) {
    const auto setting = provenance.settings.find("strip_single_root");
    const bool strip = provenance.source.kind == "url" ||
                       (setting != provenance.settings.end() && setting->second == "yes");
    if (given.empty()) {
        if (provenance.source.kind == "url" && !provenance.source.uri.empty())
            return builder::RemoteArchive{provenance.source.uri, "sha256:" + digest};
        throw Error(ErrorKind::invalid_input, "the source was an archive, which nobody keeps",
                    "Give it, or the directory that it was made of: --source PATH. Its checksum is "
                    "sha256:" +
                        digest + ".");
    }
    if (fs::is_directory(given))
        return builder::Archive{pack(fs::absolute(given), digest, scratch, stop), strip};
    if (const auto got = image::digest_of_file(given).hex(); got != digest)
        throw Error(ErrorKind::invalid_input,
                    base::quoted(given) +
                        " is not the source of this image: its checksum is sha256:" + got,
                    "It should be sha256:" + digest + ".");
    return builder::Archive{fs::absolute(given), strip};
}

} // namespace

builder::Source bring_source(const proof::Provenance& provenance, const std::string& given,
                             const fs::path& scratch, const Context& context) {
    const auto* source = proof::find_resource(provenance.dependencies, "source");
    if (source)
        for (const auto& [algorithm, hex] : source->digest) {
            if (hex.empty() || hex.find_first_not_of("0123456789abcdef") != hex.npos) continue;
            if (algorithm == "gitCommit")
                return bring_commit(provenance, hex, given, scratch, context);
            if (algorithm == "sha256")
                return bring_archive(provenance, hex, given, scratch, context.interrupted);
        }
    throw Error(ErrorKind::invalid_input, "the provenance does not say what the source was",
                "It cannot be built again.");
}

} // namespace cli
