#include "credentials.h"

#include "errors.h"

#include "base/fd.h"
#include "base/temp_dir.h"

#include <catch2/catch.hpp>

#include <sys/stat.h>

using base::ErrorKind;
using cli::Credentials;
using cli::EndpointWish;

namespace {

Credentials two_logins() {
    Credentials credentials;
    credentials.add("https://one:443", {base::Secret("slw_1"), "/etc/ca.pem"});
    credentials.add("https://two:443", {base::Secret("slw_2"), ""});
    return credentials;
}

unsigned mode_of(const std::filesystem::path& path) {
    struct stat info {};
    REQUIRE(::stat(path.c_str(), &info) == 0);
    return info.st_mode & 0777;
}

cli::Endpoint choose(const EndpointWish& wish) {
    return cli::choose_endpoint(wish, two_logins);
}

} // namespace

TEST_CASE("logins are kept in a file that nobody else can read") {
    const base::TempDir directory("slipway-cli-");
    const auto file = directory.path() / "config" / "slipway" / "credentials.json";
    two_logins().write(file);
    CHECK(mode_of(file) == 0600);
    CHECK(mode_of(file.parent_path()) == 0700);
    const auto read = Credentials::read(file);
    CHECK(read.default_url() == "https://two:443");
    CHECK(read.find("https://one:443")->token.reveal() == "slw_1");
    CHECK(read.find("https://one:443")->ca_file == "/etc/ca.pem");
    CHECK(read.find("https://two:443")->ca_file.empty());
    CHECK_FALSE(read.find("https://three:443"));
}

TEST_CASE("a file of logins that others may read is refused") {
    const base::TempDir directory("slipway-cli-");
    const auto file = directory.path() / "credentials.json";
    two_logins().write(file);
    for (const unsigned mode : {0640u, 0604u, 0620u, 0666u}) {
        ::chmod(file.c_str(), mode);
        CHECK(kind_of([&] { Credentials::read(file); }) == ErrorKind::denied);
    }
    ::chmod(file.c_str(), 0400);
    CHECK(Credentials::read(file).find("https://one:443"));
}

TEST_CASE("no file means no logins, a file of something else is an error") {
    const base::TempDir directory("slipway-cli-");
    const auto file = directory.path() / "credentials.json";
    CHECK(Credentials::read(file).default_url().empty());
    for (const char* text : {"", "[]", "{}", R"({"servers": {"https://x:443": {}}})"}) {
        base::write_file(file, text, 0600);
        CHECK(kind_of([&] { Credentials::read(file); }) == ErrorKind::invalid_input);
    }
}

TEST_CASE("logging out of the default leaves the only other one as the default") {
    auto credentials = two_logins();
    CHECK_FALSE(credentials.remove("https://three:443"));
    CHECK(credentials.remove("https://two:443"));
    CHECK(credentials.default_url() == "https://one:443");
    CHECK(credentials.remove("https://one:443"));
    CHECK(credentials.default_url().empty());
}

TEST_CASE("a flag beats a variable, a variable the default login, the login the local socket") {
    const EndpointWish nothing{.control = "/run/control.sock"};
    CHECK(choose(nothing).url == "https://two:443");
    auto wish = nothing;
    wish.state_variable = true;
    CHECK(choose(wish).socket == "/run/control.sock");
    wish.server_variable = "https://one";
    CHECK(choose(wish).url == "https://one:443");
    wish.state_given = true;
    CHECK(choose(wish).socket == "/run/control.sock");
    wish.server = "https://two";
    CHECK(choose(wish).url == "https://two:443");
    CHECK(cli::choose_endpoint(nothing, [] { return Credentials(); }).socket ==
          "/run/control.sock");
    wish.server = "local";
    CHECK(choose(wish).socket == "/run/control.sock");
}

TEST_CASE("a login brings its token and its authority, unless others are given") {
    EndpointWish wish{.server = "https://one"};
    CHECK(choose(wish).token.reveal() == "slw_1");
    CHECK(choose(wish).ca_file == "/etc/ca.pem");
    wish.token = base::Secret("slw_other");
    wish.ca_file = "/other.pem";
    CHECK(choose(wish).token.reveal() == "slw_other");
    CHECK(choose(wish).ca_file == "/other.pem");
}

TEST_CASE("a server without a login wants one") {
    CHECK(kind_of([] { choose({.server = "https://three"}); }) == ErrorKind::unauthenticated);
    EndpointWish wish{.server = "https://three"};
    wish.token = base::Secret("slw_3");
    CHECK(choose(wish).token.reveal() == "slw_3");
}

TEST_CASE("the local socket is found without a look at the logins") {
    const auto broken = []() -> Credentials {
        throw base::Error(ErrorKind::denied, "others may read it");
    };
    CHECK_FALSE(cli::choose_endpoint({.state_given = true, .control = "/c"}, broken).is_remote());
    CHECK(kind_of([&] { cli::choose_endpoint({.control = "/c"}, broken); }) == ErrorKind::denied);
}

TEST_CASE("a server elsewhere and a socket exclude each other") {
    CHECK(kind_of([] { choose({.server = "https://one", .socket = "/s"}); }) ==
          ErrorKind::invalid_input);
}
