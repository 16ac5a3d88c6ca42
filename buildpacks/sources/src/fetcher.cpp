#include "sources/fetcher.h"

#include "archives.h"
#include "git.h"
#include "images.h"
#include "local.h"

#include "base/beneath.h"
#include "base/error.h"
#include "base/text.h"

#include <fcntl.h>

namespace sources {
namespace {

namespace fs = std::filesystem;
using base::Error;
using base::ErrorKind;
using buildpacks::Catalog;
using buildpacks::Kind;

std::string replaced(std::string text, const std::string& what, const std::string& with) {
    for (auto at = text.find(what); at != text.npos; at = text.find(what, at + with.size()))
        text.replace(at, what.size(), with);
    return text;
}

// A sentence on a mistake that is easily made; empty when there is nothing to say.
std::string what_else_it_is(const fs::path& directory) {
    if (base::open_beneath(directory, "extension.toml", O_RDONLY))
        return " It is an image extension, which cannot be among the buildpacks.";
    std::string names;
    for (const auto& entry : base::list_beneath(directory, ""))
        if (entry.type == base::EntryType::directory && names.size() < 200 &&
            base::open_beneath(directory, entry.name + "/buildpack.toml", O_RDONLY))
            names += (names.empty() ? "" : ", ") + base::printable(entry.name);
    return names.empty() ? "" : " Folders in it have one: " + names + ".";
}

// Repositories of compiled buildpacks hold their source alone.
void check_programs(const fs::path& directory, const std::string& pinned) {
    for (const char* program : {"bin/detect", "bin/build"})
        if (!fs::exists(fs::symlink_status(directory / program)))
            throw Error(ErrorKind::invalid_input, pinned + " cannot be run: it has no " + program,
                        "Where a buildpack has to be compiled first, name its image "
                        "(docker://host/name) or the archive of a release.");
}

} // namespace

struct Fetcher::State {
    State(FetcherSettings given, std::function<void(const std::string&)> lines)
        : settings(std::move(given)), on_line(std::move(lines)), store(settings.store),
          git(store, settings.access, on_line), archives(store, settings.access, on_line),
          images(store, settings, on_line) {}

    FetcherSettings settings;
    std::function<void(const std::string&)> on_line;
    Store store;
    Git git;
    Archives archives;
    Images images;

    Fetched fetch(const ById& wanted, Catalog& catalog, const base::Stop& stop);
    Fetched fetch(const Folder& folder, Catalog& catalog, const base::Stop& stop);
    Fetched fetch(const ArchiveFile& file, Catalog& catalog, const base::Stop& stop);
    Fetched fetch(const ArchiveUrl& archive, Catalog& catalog, const base::Stop& stop);
    Fetched fetch(const GitUrl& url, Catalog& catalog, const base::Stop& stop);
    Fetched fetch(const ImageName& name, Catalog& catalog, const base::Stop& stop);
    Fetched fetch(const InlineScript& script, Catalog& catalog, const base::Stop& stop);

    // What a directory of ours holds. id, version: of a classic one.
    Fetched add(const fs::path& directory, const std::string& id, const std::string& version,
                const std::string& pinned, Catalog& catalog);
    Fetched add_directory(const fs::path& directory, const std::string& id,
                          const std::string& version, const std::string& pinned, Catalog& catalog);
    Fetched add(const Package& package, Catalog& catalog);
    Fetched add(const UnpackedArchive& archive, const std::string& id, const std::string& name,
                Catalog& catalog, const base::Stop& stop);
    // Where a path of the app or of this machine is: a directory and a name below it.
    std::pair<fs::path, std::string> locate(const fs::path& path) const;
    fs::path next_copy() const;
};

fs::path Fetcher::State::next_copy() const {
    int number = 0;
    while (fs::exists(settings.work / std::to_string(number))) ++number;
    return settings.work / std::to_string(number);
}

std::pair<fs::path, std::string> Fetcher::State::locate(const fs::path& path) const {
    if (!path.is_absolute()) return {settings.app, path.lexically_normal().string()};
    if (settings.folders == FetcherSettings::Folders::any)
        return {path.parent_path(), path.filename().string()};
    throw Error(ErrorKind::denied, base::quoted(path.string()) + " is not below the app",
                "A folder is named as it lies in the source: ./buildpacks/mine.");
}

Fetched Fetcher::State::fetch(const ById& wanted, Catalog& catalog, const base::Stop& stop) {
    const buildpacks::OrderElement element{wanted.id, wanted.version, false};
    if (catalog.contains(element)) return {element, element.full_name()};
    if (!wanted.required_in_builder) {
        if (!wanted.otherwise.empty()) return fetch(GitUrl{wanted.otherwise, {}}, catalog, stop);
        // Without a scheme it may be a folder or an image, as pack has it.
        if (wanted.version.empty() && !base::list_beneath(settings.app, wanted.id).empty())
            return fetch(Folder{wanted.id}, catalog, stop);
        if (wanted.version.empty() && wanted.id.find('.') < wanted.id.find('/') &&
            wanted.id.find('/') != std::string::npos)
            return fetch(ImageName{wanted.id}, catalog, stop);
    }
    try {
        catalog.find(element); // throws, and knows what else there is
    } catch (const Error& error) {
        if (!error.hint().empty()) throw;
        std::string there;
        for (const auto* buildpack : catalog.all())
            if (there.size() < 300) there += (there.empty() ? "" : ", ") + buildpack->info().id;
        throw Error(error.kind(), error.message(),
                    "There are: " + there + ". An image is named docker://host/name.");
    }
    throw Error(ErrorKind::internal, "a buildpack is and is not there");
}

Fetched Fetcher::State::fetch(const Folder& folder, Catalog& catalog, const base::Stop& stop) {
    const auto [root, relative] = locate(folder.path);
    const auto copy = next_copy();
    copy_beneath(root, relative, copy, settings.access.most_bytes, stop);
    make_programs_executable(copy);
    const auto name = folder.path.is_absolute() ? folder.path.filename() : folder.path;
    return add(copy, readable_id("folder/" + name.lexically_normal().filename().string()), "0.0.0",
               "the folder " + base::printable(name.string()), catalog);
}

Fetched Fetcher::State::fetch(const ArchiveFile& file, Catalog& catalog, const base::Stop& stop) {
    const auto [root, relative] = locate(file.path);
    const auto opened = base::open_beneath(root, relative, O_RDONLY);
    if (!opened)
        throw Error(ErrorKind::not_found,
                    "there is no file " + base::quoted(relative) + " in the source");
    const auto unpacked = archives.unpack(opened.get(), relative, stop);
    return add(unpacked, readable_id("file/" + file.path.stem().string()),
               base::printable(file.path.filename().string()), catalog, stop);
}

Fetched Fetcher::State::fetch(const ArchiveUrl& archive, Catalog& catalog, const base::Stop& stop) {
    const auto unpacked = archives.fetch(archive, stop);
    const auto name = without_credentials(archive.url);
    const auto at = name.find("***@");
    const auto address = at == name.npos ? name.substr(name.find("://") + 3) : name.substr(at + 4);
    return add(unpacked, readable_id(address), name, catalog, stop);
}

Fetched Fetcher::State::fetch(const GitUrl& url, Catalog& catalog, const base::Stop& stop) {
    try {
        const auto checkout = git.fetch(url, stop);
        return add(checkout.directory, checkout.remote.id(), checkout.commit.substr(0, 12),
                   checkout.remote.url + "#" + checkout.commit, catalog);
    } catch (const Error& error) {
        if (error.kind() != ErrorKind::not_found || !url.perhaps_archive) throw;
    }
    return fetch(ArchiveUrl{url.url}, catalog, stop);
}

Fetched Fetcher::State::fetch(const ImageName& name, Catalog& catalog, const base::Stop& stop) {
    return add(images.fetch(name, stop), catalog);
}

Fetched Fetcher::State::fetch(const InlineScript& script, Catalog& catalog, const base::Stop&) {
    const auto directory = next_copy();
    write_inline_script(script, directory);
    return add(directory, script.id, script.version, "a script of project.toml", catalog);
}

Fetched Fetcher::State::add(const Package& package, Catalog& catalog) {
    add_buildpacks_of_layers(package.layers, buildpacks::Buildpack::Mounting::read_only,
                             package.pinned, catalog);
    if (!catalog.contains(package.root))
        throw Error(ErrorKind::invalid_input, package.pinned + " says that it is " +
                                                  package.root.full_name() +
                                                  ", which is not in it");
    return {package.root, package.pinned};
}

// A .cnb file is an archive, too: of an image's layout.
Fetched Fetcher::State::add(const UnpackedArchive& archive, const std::string& id,
                            const std::string& name, Catalog& catalog, const base::Stop& stop) {
    const auto pinned = name + ", sha256:" + archive.digest;
    if (base::read_beneath(archive.directory, "oci-layout"))
        return add(images.open(archive.directory, name, stop), catalog);
    return add(archive.directory, id, archive.digest.substr(0, 12), pinned, catalog);
}

Fetched Fetcher::State::add(const fs::path& directory, const std::string& id,
                            const std::string& version, const std::string& pinned,
                            Catalog& catalog) {
    // Read by code that trusts its files: a link could name any file of this machine.
    for (const char* file : {"buildpack.toml", "bin"})
        if (fs::is_symlink(directory / file))
            throw Error(ErrorKind::invalid_input,
                        pinned + " is not a buildpack: its " + file + " is a link");
    try {
        return add_directory(directory, id, version, pinned, catalog);
    } catch (const Error& error) { // where it lies here means nothing to anybody
        throw Error(error.kind(), replaced(error.message(), directory.string(), pinned),
                    error.hint());
    }
}

Fetched Fetcher::State::add_directory(const fs::path& directory, const std::string& id,
                                      const std::string& version, const std::string& pinned,
                                      Catalog& catalog) {
    switch (buildpacks::kind_of(directory)) {
    case Kind::cnb: {
        check_programs(directory, pinned);
        auto buildpack =
            buildpacks::load_cnb(directory, buildpacks::Buildpack::Mounting::read_only, pinned);
        const auto& info = buildpack->info();
        const buildpacks::OrderElement element{info.id, info.version, false};
        catalog.add(std::move(buildpack));
        return {element, pinned};
    }
    case Kind::composite: {
        auto composite = buildpacks::load_composite(directory);
        composite->info.source = pinned;
        const buildpacks::OrderElement element{composite->info.id, composite->info.version, false};
        catalog.add(std::move(*composite));
        return {element, pinned};
    }
    case Kind::classic:
        catalog.add(buildpacks::load_classic(directory, id, version, pinned));
        return {{id, version, false}, pinned};
    case Kind::extension:
        throw Error(ErrorKind::invalid_input, pinned + " is an image extension, not a buildpack",
                    "Image extensions come with a builder; they cannot be chosen one by one.");
    case Kind::neither:
        break;
    }
    throw Error(ErrorKind::invalid_input, pinned + " is not a buildpack",
                "It has neither a buildpack.toml with an api nor bin/compile." +
                    what_else_it_is(directory));
}

Fetcher::Fetcher(FetcherSettings settings, std::function<void(const std::string&)> on_line)
    : state_(std::make_unique<State>(std::move(settings), std::move(on_line))) {}

Fetcher::~Fetcher() = default;

Fetched Fetcher::fetch(const Wanted& wanted, Catalog& catalog, const base::Stop& stop) {
    auto fetched = std::visit(
        [&](const auto& what) {
            if constexpr (std::is_same_v<std::decay_t<decltype(what)>, InlineScript>)
                return state_->fetch(what, catalog, stop);
            else
                return std::visit(
                    [&](const auto& uri) { return state_->fetch(uri, catalog, stop); }, what);
        },
        wanted.what);
    fetched.element.optional = wanted.optional;
    return fetched;
}

} // namespace sources
