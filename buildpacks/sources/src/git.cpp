#include "git.h"

#include "git_session.h"
#include "local.h"

#include "base/beneath.h"
#include "base/crypto.h"
#include "base/error.h"
#include "base/text.h"

#include <algorithm>
#include <fcntl.h>

namespace sources {
namespace {

namespace fs = std::filesystem;
using base::Error;
using base::ErrorKind;

constexpr int deepest_submodule = 5;
constexpr std::size_t most_entries = 200'000;

struct Size {
    std::size_t entries = 0;
    std::uint64_t bytes = 0;

    void add(const fs::path& tree, const base::Stop& stop) {
        for (const auto& entry : fs::recursive_directory_iterator(tree)) {
            stop.throw_if_over("reading a submodule");
            ++entries;
            if (entry.symlink_status().type() == fs::file_type::regular) bytes += entry.file_size();
        }
    }
};

bool is_hex(const std::string& text) {
    return text.find_first_not_of("0123456789abcdef") == text.npos;
}

bool is_commit(const std::string& ref) {
    return ref.size() == 40 && is_hex(ref);
}

// What git check-ref-format(1) forbids, and what could be taken for an option.
void check_ref(const GitUrl& git) {
    const auto& ref = git.ref;
    const bool bad = ref.size() > 255 || ref.starts_with('-') || ref.starts_with('/') ||
                     ref.find("..") != ref.npos || ref.find("@{") != ref.npos ||
                     ref.find_first_of(" ~^:?*[\\") != ref.npos;
    if (bad)
        throw Error(ErrorKind::invalid_input, base::quoted(ref) +
                                                  " is not a branch, a tag or a commit (in " +
                                                  shown(git) + ")");
}

// Whatever our umask: the sandbox's user reads it.
void settle_modes(const fs::path& tree) {
    using fs::perms;
    for (const auto& entry : fs::recursive_directory_iterator(tree)) {
        if (entry.is_symlink()) continue;
        const bool executable = entry.is_directory() ||
                                (entry.status().permissions() & perms::owner_exec) != perms::none;
        fs::permissions(entry.path(), perms(executable ? 0755 : 0644));
    }
    make_programs_executable(tree);
}

} // namespace

Checkout Git::fetch(const GitUrl& git, const base::Stop& stop) const {
    check_ref(git);
    return fetch(git, 0, stop);
}

Checkout Git::fetch(const GitUrl& git, int depth, const base::Stop& stop) const {
    Session session(store_, access_, remote_of(git), stop);
    const auto& remote = session.remote();
    if (!remote.note.empty()) on_line_(remote.url + " is " + remote.note);
    std::optional<std::string> commit;
    if (is_commit(git.ref)) {
        commit = git.ref;
    } else {
        commit = session.look_up(git.ref);
        if (!commit && git.ref.size() >= 7 && is_hex(git.ref)) commit = session.complete(git.ref);
    }
    if (!commit)
        throw Error(ErrorKind::not_found,
                    git.ref.empty() ? "the repository " + remote.url + " is empty"
                                    : "there is no branch, tag or commit " + base::quoted(git.ref) +
                                          " in " + remote.url,
                    git.ref.empty() ? "" : "Is it spelt so, and has it not been deleted?");
    auto directory = obtain(session, *commit, depth, stop);
    return {std::move(directory), *commit, session.remote()};
}

fs::path Git::obtain(Session& session, const std::string& commit, int depth,
                     const base::Stop& stop) const {
    // Who may read one repository need not be let into another that has the commit too: a tree is
    // found again through the address and the credential that opened it.
    const auto& remote = session.remote();
    const auto name = commit + "-" +
                      base::sha256_hex(remote.url + "\n" + remote.authorization).substr(0, 16) +
                      (access_.submodules ? "-submodules" : "");
    const auto at = session.remote().url + " at " + commit.substr(0, 12);
    if (const auto tree = store_.find(name)) {
        on_line_("Using " + at);
        return *tree;
    }
    on_line_("Cloning " + at);
    return store_.obtain(
        name,
        [&](const fs::path& tree) {
            if (!session.bring(commit))
                throw Error(ErrorKind::not_found,
                            "there is no commit " + commit + " in " + session.remote().url,
                            "Is it spelt so, and has it not been deleted?");
            session.check_out(commit, tree);
            settle_modes(tree);
            if (access_.submodules) add_submodules(session, commit, tree, depth, stop);
        },
        stop);
}

void Git::add_submodules(Session& session, const std::string& commit, const fs::path& tree,
                         int depth, const base::Stop& stop) const {
    Size size; // the same one named in a thousand places is a thousand copies
    for (const auto& submodule : session.submodules(commit)) {
        if (depth == deepest_submodule)
            throw Error(ErrorKind::invalid_input,
                        "the submodules of " + session.remote().url + " are nested without end");
        const auto inner = fetch({submodule.url, submodule.commit, false}, depth + 1, stop);
        // git made an empty directory for it; its way there may not lead through a link.
        if (!base::open_beneath(tree, submodule.path, O_RDONLY | O_DIRECTORY))
            throw Error(ErrorKind::invalid_input, "the submodule " + base::quoted(submodule.path) +
                                                      " of " + session.remote().url +
                                                      " has no place in it");
        size.add(inner.directory, stop);
        if (size.entries > most_entries || size.bytes > access_.most_bytes)
            throw Error(ErrorKind::limit_exceeded,
                        session.remote().url + " has with its submodules more than " +
                            base::human_bytes(access_.most_bytes) + " or 200,000 files");
        fs::copy(inner.directory, tree / submodule.path,
                 fs::copy_options::recursive | fs::copy_options::copy_symlinks);
    }
}

} // namespace sources
