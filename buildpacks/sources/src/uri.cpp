#include "sources/uri.h"

#include "base/error.h"
#include "base/text.h"

#include <algorithm>
#include <array>
#include <cctype>

namespace sources {
namespace {

using base::Error;
using base::ErrorKind;

constexpr std::size_t longest_uri = 4096;

[[noreturn]] void refuse(std::string_view text, const std::string& why, std::string hint = {}) {
    throw Error(ErrorKind::invalid_input,
                base::quoted(without_credentials(text).substr(0, 300)) +
                    " cannot be the place of a buildpack: " + why,
                std::move(hint));
}

std::string lower(std::string_view text) {
    std::string result(text);
    std::transform(result.begin(), result.end(), result.begin(),
                   [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
    return result;
}

// The endings that classic platforms and pack take for an archive.
bool is_archive(std::string_view path) {
    static constexpr std::array endings{".tgz",  ".tar.gz",  ".tbz",    ".tar.bz",
                                        ".tbz2", ".tar.bz2", ".tar.xz", ".txz",
                                        ".tar",  ".tar.zst", ".zip",    ".cnb"};
    const auto name = lower(path);
    return std::any_of(endings.begin(), endings.end(),
                       [&](std::string_view ending) { return name.ends_with(ending); });
}

// The addresses below which code hosts hand out archives of a commit.
bool is_archive_address(std::string_view path) {
    return path.find("/tarball/") != path.npos || path.find("/tar.gz/") != path.npos;
}

std::string_view take_off(std::string_view text, std::string_view prefix) {
    return text.substr(prefix.size());
}

// Letters of the specification's ids and of versions; anything else is a mistake of typing.
bool is_name(std::string_view text) {
    return !text.empty() && std::all_of(text.begin(), text.end(), [](unsigned char c) {
        return std::isalnum(c) || c == '.' || c == '/' || c == '-' || c == '_' || c == '+';
    });
}

ById parse_id(std::string_view text, std::string_view whole) {
    const auto at = text.find('@');
    ById id{.id = std::string(text.substr(0, at)), .version = {}, .otherwise = {}};
    if (at != text.npos) id.version = text.substr(at + 1);
    if (!is_name(id.id) || id.id.front() == '/' || id.id.front() == '.' ||
        (at != text.npos && !is_name(id.version)))
        refuse(whole, "it is neither a URL, a path nor an id such as org/name@1.2.3");
    return id;
}

ById parse_builder_id(std::string_view text, std::string_view whole) {
    if (text.starts_with(':')) text.remove_prefix(1);
    if (text.empty())
        refuse(whole, "it names the whole builder",
               "Name one of its buildpacks: urn:cnb:builder:ID[@VERSION]. Without any choice the "
               "builder's own order decides.");
    auto id = parse_id(text, whole);
    id.required_in_builder = true;
    return id;
}

Uri parse_file(std::string_view path, std::string_view whole) {
    if (path.empty()) refuse(whole, "it has no path");
    if (is_archive(path)) return ArchiveFile{std::string(path)};
    return Folder{std::string(path)};
}

GitUrl parse_git(std::string_view text) {
    const auto hash = text.find('#');
    GitUrl url{.url = std::string(text.substr(0, hash)), .ref = {}};
    if (hash != text.npos) url.ref = text.substr(hash + 1);
    return url;
}

Uri parse_http(std::string_view text, Dialect dialect) {
    const auto path = text.substr(0, text.find_first_of("?#"));
    const auto scheme = path.find("://");
    if (path.find('/', scheme + 3) == path.npos || path.ends_with("://"))
        refuse(text, "it has no path");
    if (is_archive(path) || is_archive_address(path))
        return ArchiveUrl{std::string(text.substr(0, text.find('#')))};
    auto url = parse_git(text);
    url.perhaps_archive =
        dialect == Dialect::pack && url.ref.empty() && !lower(path).ends_with(".git");
    return url;
}

// "git@host:path": what git itself takes for SSH without a scheme.
bool is_scp_like(std::string_view text) {
    const auto at = text.find('@'), colon = text.find(':');
    return at != text.npos && colon != text.npos && at < colon && text.find('/') > at &&
           text.find('/') > colon;
}

// "heroku/nodejs", "heroku-community/apt": names of before there were ids.
std::string classic_repository(const std::string& id) {
    const auto slash = id.find('/');
    if (slash == id.npos || id.find('/', slash + 1) != id.npos) return {};
    auto organisation = id.substr(0, slash);
    if (organisation == "heroku-community") organisation = "heroku";
    return "https://github.com/" + organisation + "/heroku-buildpack-" + id.substr(slash + 1) +
           ".git";
}

// "ghcr.io/x/y", "localhost:5000/x": the first part is a host.
bool names_registry(std::string_view text) {
    const auto slash = text.find('/');
    if (slash == text.npos) return false;
    const auto host = text.substr(0, slash);
    return host.find('.') != host.npos || host.find(':') != host.npos || host == "localhost";
}

Uri parse_plain(std::string_view text, Dialect dialect) {
    if (text.starts_with("/") || text.starts_with("./") || text.starts_with("../") || text == ".")
        return parse_file(text, text);
    if (is_scp_like(text)) return parse_git(text);
    if (is_archive(text)) return ArchiveFile{std::string(text)};
    if (names_registry(text) || text.find("@sha256:") != text.npos)
        return ImageName{std::string(text)};
    if (dialect == Dialect::pack && text.find(':') != text.npos)
        return ImageName{std::string(text)};
    if (dialect == Dialect::pack) return parse_id(text, text);
    // "heroku/nodejs#v123" of .buildpacks files
    const auto hash = text.find('#');
    auto id = parse_id(text.substr(0, hash), text);
    if (id.version.empty()) id.otherwise = classic_repository(id.id);
    if (hash == text.npos) return id;
    if (id.otherwise.empty()) refuse(text, "only a git repository has a branch, tag or commit");
    return GitUrl{id.otherwise, std::string(text.substr(hash + 1))};
}

Uri parse_with_scheme(std::string_view text, Dialect dialect) {
    const auto name = lower(text.substr(0, text.find(':')));
    const auto rest = text.substr(text.find(':') + 3);
    if (name == "http" || name == "https") return parse_http(text, dialect);
    if (name == "git" || name == "ssh") return parse_git(text);
    if (name == "git+https" || name == "git+http" || name == "git+ssh")
        return parse_git(take_off(text, "git+"));
    if (name == "docker") return ImageName{std::string(rest)};
    if (name == "file") {
        if (!rest.starts_with("/")) refuse(text, "file:// wants an absolute path");
        return parse_file(rest, text);
    }
    refuse(text, "nobody here speaks " + base::printable(name) + "://",
           "Use https://, a path, docker://, urn:cnb:builder: or an id.");
}

std::string show(const ById& id) {
    return (id.required_in_builder ? "urn:cnb:builder:" : "") + id.id +
           (id.version.empty() ? "" : "@" + id.version);
}
std::string show(const Folder& folder) {
    return folder.path.string();
}
std::string show(const ArchiveFile& file) {
    return file.path.string();
}
std::string show(const ArchiveUrl& archive) {
    return without_credentials(archive.url);
}
std::string show(const GitUrl& git) {
    return without_credentials(git.url) + (git.ref.empty() ? "" : "#" + git.ref);
}
std::string show(const ImageName& image) {
    return "docker://" + image.reference;
}

} // namespace

Uri parse_uri(std::string_view text, Dialect dialect) {
    if (text.empty()) refuse(text, "it is empty");
    if (text.size() > longest_uri) refuse(text, "it is longer than 4096 bytes");
    if (std::any_of(text.begin(), text.end(),
                    [](unsigned char c) { return c <= ' ' || c == 0x7f; }))
        refuse(text, "it has a blank or a control character in it");
    if (text.starts_with("urn:cnb:builder")) // "urn:cnb:builder:ID", all of it one word
        return parse_builder_id(take_off(text, "urn:cnb:builder"), text);
    if (text.starts_with("from=builder"))
        return parse_builder_id(take_off(text, "from=builder"), text);
    if (text.starts_with("urn:cnb:registry") || text.starts_with("urn:buildpack"))
        refuse(text, "indexes of buildpacks are not read",
               "Name its image (docker://host/name) or its git repository.");
    if (text.starts_with("urn:")) refuse(text, "this urn is not known");
    if (text.find("://") != text.npos) return parse_with_scheme(text, dialect);
    return parse_plain(text, dialect);
}

std::string without_credentials(std::string_view whole) {
    const auto scheme = whole.find("://");
    if (scheme == whole.npos) return std::string(whole);
    // Signed addresses and tokens of code hosts stand in the query.
    std::string url(whole);
    const auto hash = std::min(url.find('#'), url.size());
    if (const auto query = url.find('?'); query < hash && query + 1 < hash)
        url.replace(query + 1, hash - query - 1, "***");
    const auto begin = scheme + 3;
    const auto end = std::min(url.find_first_of("/?#", begin), url.size());
    const auto at = url.substr(begin, end - begin).rfind('@');
    if (at == url.npos) return url;
    return url.substr(0, begin) + "***@" + url.substr(begin + at + 1);
}

std::string shown(const Uri& uri) {
    return base::printable(std::visit([](const auto& kind) { return show(kind); }, uri));
}

} // namespace sources
