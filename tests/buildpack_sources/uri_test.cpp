#include "remote.h"
#include "sources/uri.h"

#include "base/error.h"

#include <catch2/catch.hpp>

using namespace sources;

namespace {

template <class Kind>
Kind parsed(const std::string& text, Dialect dialect) {
    const auto uri = parse_uri(text, dialect);
    INFO(text << " is of kind " << uri.index());
    REQUIRE(std::holds_alternative<Kind>(uri));
    return std::get<Kind>(uri);
}

std::string refusal(const std::string& text, Dialect dialect = Dialect::pack) {
    try {
        parse_uri(text, dialect);
    } catch (const base::Error& error) {
        CHECK(error.kind() == base::ErrorKind::invalid_input);
        return error.message();
    }
    FAIL(text << " was not refused");
    return {};
}

} // namespace

TEST_CASE("paths are folders, and archives by their ending") {
    CHECK(parsed<Folder>("./buildpacks/mine", Dialect::pack).path == "./buildpacks/mine");
    CHECK(parsed<Folder>("/srv/bp", Dialect::classic).path == "/srv/bp");
    CHECK(parsed<Folder>("file:///srv/bp", Dialect::pack).path == "/srv/bp");
    CHECK(parsed<ArchiveFile>("./mine.tgz", Dialect::pack).path == "./mine.tgz");
    CHECK(parsed<ArchiveFile>("file:///srv/mine.cnb", Dialect::pack).path == "/srv/mine.cnb");
    CHECK(parsed<ArchiveFile>("mine.cnb", Dialect::pack).path == "mine.cnb");
}

TEST_CASE("a URL with an archive's ending is an archive, whatever its query") {
    for (const char* ending : {".tgz", ".tar.gz", ".tbz", ".tar.bz", ".tar", ".TGZ", ".tar.xz"}) {
        const auto url = "https://host.example/x" + std::string(ending) + "?token=a/b#part";
        CHECK(parsed<ArchiveUrl>(url, Dialect::classic).url ==
              url.substr(0, url.size() - std::string("#part").size()));
    }
    parsed<ArchiveUrl>("https://codeload.github.com/o/n/tar.gz/v1", Dialect::classic);
    parsed<ArchiveUrl>("https://api.github.com/repos/o/n/tarball/v1", Dialect::pack);
}

TEST_CASE("any other URL is a git repository with the ref behind its hash") {
    const auto git = parsed<GitUrl>("https://host.example/o/n.git#feature/x", Dialect::classic);
    CHECK(git.url == "https://host.example/o/n.git");
    CHECK(git.ref == "feature/x");
    CHECK_FALSE(git.perhaps_archive);
    CHECK(parsed<GitUrl>("https://host.example/o/n", Dialect::classic).ref.empty());
    CHECK(parsed<GitUrl>("git@host.example:o/n.git#v1", Dialect::classic).ref == "v1");
    CHECK(parsed<GitUrl>("git+https://host.example/o/n", Dialect::pack).url ==
          "https://host.example/o/n");
    SECTION("which in pack's dialect may be an archive after all") {
        CHECK(parsed<GitUrl>("https://host.example/v1/heroku/php", Dialect::pack).perhaps_archive);
        CHECK_FALSE(parsed<GitUrl>("https://host.example/o/n.git", Dialect::pack).perhaps_archive);
    }
}

TEST_CASE("org/name is an id for pack and an id or a repository for classic platforms") {
    CHECK(parsed<ById>("heroku/nodejs", Dialect::pack).otherwise.empty());
    const auto classic = parsed<ById>("heroku/nodejs", Dialect::classic);
    CHECK(classic.id == "heroku/nodejs");
    CHECK(classic.otherwise == "https://github.com/heroku/heroku-buildpack-nodejs.git");
    CHECK(parsed<ById>("heroku-community/apt", Dialect::classic).otherwise ==
          "https://github.com/heroku/heroku-buildpack-apt.git");
    const auto at_ref = parsed<GitUrl>("heroku/nodejs#v200", Dialect::classic);
    CHECK(at_ref.url == "https://github.com/heroku/heroku-buildpack-nodejs.git");
    CHECK(at_ref.ref == "v200");
    CHECK(parsed<ById>("slipway/nodejs@0.1.0", Dialect::classic).version == "0.1.0");
}

TEST_CASE("builder ids, in both of their spellings") {
    for (const char* text : {"urn:cnb:builder:a/b@1.2.3", "from=builder:a/b@1.2.3"}) {
        const auto id = parsed<ById>(text, Dialect::pack);
        CHECK(id.id == "a/b");
        CHECK(id.version == "1.2.3");
        CHECK(id.required_in_builder);
    }
    CHECK(refusal("urn:cnb:builder").find("whole builder") != std::string::npos);
}

TEST_CASE("images have a scheme, a host or a tag") {
    CHECK(parsed<ImageName>("docker://host.example/a/b:1", Dialect::classic).reference ==
          "host.example/a/b:1");
    CHECK(parsed<ImageName>("ghcr.io/a/b", Dialect::pack).reference == "ghcr.io/a/b");
    CHECK(parsed<ImageName>("localhost:5000/a/b", Dialect::pack).reference == "localhost:5000/a/b");
    CHECK(parsed<ImageName>("gcr.io/a/b@sha256:" + std::string(64, 'a'), Dialect::pack)
              .reference.size() > 64);
}

TEST_CASE("what cannot be a place is refused with its text and the reason") {
    CHECK(refusal("").find("empty") != std::string::npos);
    CHECK(refusal("urn:cnb:registry:a/b").find("index") != std::string::npos);
    CHECK(refusal("ftp://host.example/x").find("ftp://") != std::string::npos);
    CHECK(refusal("ext::sh -c id").find("blank") != std::string::npos);
    CHECK(refusal("https://host.example").find("no path") != std::string::npos);
    CHECK(refusal("--upload-pack=id", Dialect::classic).find("--upload-pack") != std::string::npos);
    CHECK(refusal("file://relative/x").find("absolute") != std::string::npos);
    CHECK(refusal("a/b@").find("a/b@") != std::string::npos);
    CHECK(refusal(std::string(5000, 'a')).find("4096") != std::string::npos);
    CHECK(refusal("a\nb").find('\n') == std::string::npos);
}

TEST_CASE("no credential is ever shown") {
    CHECK(without_credentials("https://user:word@host.example/x") == "https://***@host.example/x");
    CHECK(without_credentials("https://a@b@host.example/x@y") == "https://***@host.example/x@y");
    CHECK(without_credentials("https://host.example/x@y") == "https://host.example/x@y");
    CHECK(without_credentials("https://a@host.example/x.tgz?sig=1#v@?") ==
          "https://***@host.example/x.tgz?***#v@?");
    CHECK(shown(parse_uri("https://t0ken@host.example/o/n#v1", Dialect::classic)) ==
          "https://***@host.example/o/n#v1");
    CHECK(refusal("ftp://user:word@host.example/x").find("word") == std::string::npos);
    CHECK(refusal("ftp://user:" + std::string(400, 'w') + "@host.example/x").find("www") ==
          std::string::npos);
    CHECK(without_credentials("https://host.example/x.tgz?token=word") ==
          "https://host.example/x.tgz?***");
    CHECK(without_credentials("https://u@host.example/x?a=b@c#v1") ==
          "https://***@host.example/x?***#v1");
    CHECK(without_credentials("https://host.example/x#v1?") == "https://host.example/x#v1?");
}

TEST_CASE("a remote has a scheme that is spoken here and its credentials apart") {
    const auto remote = remote_of({"https://user:w%40rd@Host.example/o/N.git", "", false});
    CHECK(remote.url == "https://Host.example/o/N.git");
    CHECK(remote.authorization == "Basic dXNlcjp3QHJk");
    CHECK(remote.id() == "host.example/o/n");
    CHECK(remote.host.host == "host.example");
    CHECK(remote.host.port == 443);
    CHECK(remote_of({"https://t0ken@host.example/x", "", false}).authorization == "Basic dDBrZW46");
}

TEST_CASE("an address with a control character in it is refused") {
    for (const char* url : {"https://host.example/a\x1b[2Jb", "https://host.example/a b",
                            "https://host.example/a\r\nX: y"})
        CHECK_THROWS_AS(remote_of({url, {}, false}), base::Error);
}

TEST_CASE("SSH addresses are read over https, and GitHub's git:// ones") {
    CHECK(remote_of({"git@github.com:heroku/x.git", "", false}).url ==
          "https://github.com/heroku/x.git");
    CHECK(remote_of({"ssh://git@host.example:22/o/x", "", false}).url ==
          "https://host.example/o/x");
    CHECK(remote_of({"git://github.com/o/x.git", "", false}).url == "https://github.com/o/x.git");
    const auto daemon = remote_of({"git://host.example/o/x.git", "", false});
    CHECK(daemon.url == "git://host.example/o/x.git");
    CHECK(daemon.host.port == 9418);
    CHECK_THROWS_AS(remote_of({"ssh://git@host.example:2222/o/x", "", false}), base::Error);
    CHECK_THROWS_AS(remote_of({"ext::sh/x", "", false}), base::Error);
}

TEST_CASE("ids of fetched buildpacks stay readable") {
    CHECK(readable_id("github.com/Heroku/heroku-buildpack-ruby.git/") ==
          "github.com/heroku/heroku-buildpack-ruby");
    CHECK(readable_id("host.example:8080/a b_c?x=1") == "host.example-8080/a-b-c");
}
