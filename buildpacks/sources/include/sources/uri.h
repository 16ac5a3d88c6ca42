// Where a buildpack is said to be, as people write it. Pure values; any thread.
//   ./folder  /folder  file:///folder       a folder (or a .tgz, .cnb file)
//   https://host/x.tgz  x.tar.gz ...        an archive
//   https://host/o/n[.git][#ref]  git@...   a git repository; ref: branch, tag or commit
//   docker://host/name[:tag|@digest]        an image: a buildpackage or a builder
//   urn:cnb:builder:id[@version]            in the current builder; "from=builder:" too
//   id[@version]                            an id of the current builder or of the bundled set
//   org/name                                in the classic dialect an id or a git repository
// Sources: pack's documentation of buildpack URIs; contracts part a (.buildpacks), part b.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <variant>

namespace sources {

struct ById {
    std::string id;
    std::string version;              // empty: whichever is there
    bool required_in_builder = false; // urn:cnb:builder: says so
    // Dialect::classic: the git repository that the name means where no buildpack has that id:
    // "heroku/nodejs" is https://github.com/heroku/heroku-buildpack-nodejs.git.
    std::string otherwise;
};
struct Folder {
    std::filesystem::path path; // as written: may be relative
};
struct ArchiveFile {
    std::filesystem::path path; // .tgz, .tar.gz, .cnb, ...
};
struct ArchiveUrl {
    std::string url; // without credentials in messages: see shown()
};
struct GitUrl {
    std::string url;
    std::string ref; // empty: the default branch
    // A plain https URL in Dialect::pack, where it may mean an archive, too.
    bool perhaps_archive = false;
};
struct ImageName {
    std::string reference;
};
using Uri = std::variant<ById, Folder, ArchiveFile, ArchiveUrl, GitUrl, ImageName>;

// classic: .buildpacks, BUILDPACK_URL, app.json, and what people give by hand.
enum class Dialect { pack, classic };

// Throws Error{invalid_input} that names the text and what is wrong with it. Whether an id or a
// folder exists is not asked here: `a/b` in Dialect::pack is ById; the fetcher falls back to an
// image of that name as pack does.
Uri parse_uri(std::string_view text, Dialect dialect);
// For people and logs: credentials masked, control characters shown.
std::string shown(const Uri& uri);
// "https://user:word@host/x?token=word" as "https://***@host/x?***".
std::string without_credentials(std::string_view url);

} // namespace sources
