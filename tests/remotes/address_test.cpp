#include "remotes/keys.h"
#include "remotes/repository.h"

#include "base/error.h"
#include "base/temp_dir.h"
#include "skip.h"

#include <catch2/catch.hpp>

using remotes::normal_url;

TEST_CASE("addresses of repositories have one form each") {
    CHECK(normal_url(" https://github.com/o/r.git\n") == "https://github.com/o/r.git");
    CHECK(normal_url("git@github.com:o/r.git") == "ssh://git@github.com/o/r.git");
    CHECK(normal_url("ssh://git@host:2222/o/r") == "ssh://git@host:2222/o/r");
    CHECK(normal_url("ssh://git@host:22/o/r") == "ssh://git@host/o/r");
    CHECK(normal_url("ssh://host/o/r") == "ssh://git@host/o/r");
    CHECK(normal_url("deploy@[2001:db8::1]:o/r") == "ssh://deploy@[2001:db8::1]/o/r");
}

TEST_CASE("what is no plain address is refused") {
    for (const char* url : {"",
                            "o/r",
                            "/srv/repository",
                            "file:///srv/repository",
                            "git://host/o/r",
                            "ext::sh -c touch% /tmp/x",
                            "https://user:word@host/o/r",
                            "https://token@host/o/r",
                            "https://host",
                            "https://host/",
                            "https://host/o/../../x",
                            "https://host/o/r?x=1",
                            "ssh://git:word@host/o/r",
                            "ssh://-oProxyCommand=x/o/r",
                            "git@-oProxyCommand=x:o/r",
                            "-oProxyCommand=x@host:o/r",
                            "ssh://git@host:99999/o/r",
                            "ssh://git@host:x/o/r",
                            "ssh://git@host",
                            "git@host:",
                            "git@ho st:o/r",
                            "git@host:o/r'; touch x; '",
                            "https://host/o/r\x1b[2J",
                            "https://h\xc3\xb6st/o/r"})
        CHECK_THROWS_AS(normal_url(url), base::Error);
}

TEST_CASE("the host that is called is known, whatever the scheme") {
    CHECK(remotes::host_of("ssh://git@host:2222/o/r").port == 2222);
    CHECK(remotes::host_of("ssh://git@host/o/r").port == 22);
    CHECK(remotes::host_of("https://host/o/r").origin() == "https://host:443");
}

TEST_CASE("a deploy key is a pair of its own, and leaves no file behind") {
    if (is_missing("ssh-keygen")) return;
    const base::TempDir scratch("slipway-test");
    const auto one = remotes::make_key_pair("slipway hello", scratch.path(), {});
    const auto two = remotes::make_key_pair("slipway hello", scratch.path(), {});
    CHECK_THAT(one.public_key, Catch::StartsWith("ssh-ed25519 AAAA"));
    CHECK_THAT(one.public_key, Catch::EndsWith(" slipway hello"));
    CHECK_THAT(one.private_key.reveal(), Catch::StartsWith("-----BEGIN OPENSSH PRIVATE KEY-----"));
    CHECK(one.public_key != two.public_key);
    CHECK(std::filesystem::is_empty(scratch.path()));
}
