#include "remotes/git.h"

#include "base/error.h"
#include "base/fd.h"
#include "base/temp_dir.h"

#include "scoped_variable.h"

#include <catch2/catch.hpp>

using Catch::Matchers::Contains;
using remotes::fault_of;
using remotes::Git;
using remotes::GitFault;

namespace {

base::Captured failed(std::string error) {
    return {.status = {.code = 128}, .output = {}, .error = std::move(error)};
}

} // namespace

TEST_CASE("git reads no configuration but what it is told, and asks nobody") {
    Git git("https", 1 << 20);
    git.configure("user.name", "told");
    const auto listed = git.run({"config", "--list", "--show-scope"}, {});
    REQUIRE(listed.status.ok());
    CHECK_THAT(listed.output, Contains("command\tuser.name=told\n"));
    CHECK_THAT(listed.output, Contains("command\tcore.hookspath=/dev/null\n"));
    for (const char* scope : {"system\t", "global\t", "local\t"})
        CHECK_THAT(listed.output, !Contains(scope));
}

TEST_CASE("git works on the repository that it is told, not on the one of who started us") {
    const base::TempDir directory("git");
    const ScopedVariable repository("GIT_DIR", (directory.path() / "of-a-hook.git").string()),
        objects("GIT_OBJECT_DIRECTORY", (directory.path() / "quarantine").string()),
        count("GIT_CONFIG_PARAMETERS", "'user.name=nobody'");
    const Git git("", 1 << 20);
    const auto told = (directory.path() / "told.git").string();
    REQUIRE(git.run({"init", "--bare", "--quiet", told}, {}).status.ok());
    CHECK(std::filesystem::exists(directory.path() / "told.git/HEAD"));
    CHECK_FALSE(std::filesystem::exists(directory.path() / "of-a-hook.git"));
    CHECK_FALSE(git.run({"-C", told, "config", "user.name"}, {}).status.ok());
}

TEST_CASE("a protocol that was not named is not spoken") {
    const base::TempDir directory("git");
    const Git git("https", 1 << 20);
    const auto result = git.run({"ls-remote", "file://" + directory.path().string()}, {});
    CHECK_FALSE(result.status.ok());
    CHECK_THAT(result.error, Contains("transport 'file' not allowed"));
}

TEST_CASE("a credential is for its host alone and in no argument") {
    Git git("https", 1 << 20);
    git.call(http::parse_url("https://forge.example/a/b.git"), {"192.0.2.1"}, {}, "Basic c2VjcmV0");
    const auto listed = git.run({"config", "--list"}, {});
    CHECK_THAT(listed.output, Contains("http.curloptresolve=forge.example:443:192.0.2.1\n"));
    const auto header_for = [&](const char* url) {
        return git.run({"config", "--get-urlmatch", "http.extraHeader", url}, {}).output;
    };
    CHECK(header_for("https://forge.example/a/b.git") == "Authorization: Basic c2VjcmV0\n");
    CHECK(header_for("https://other.example/a/b.git").empty());
    CHECK(header_for("http://forge.example/a/b.git").empty());
}

TEST_CASE("a file that git writes ends at the limit, and the fault says so") {
    const base::TempDir directory("git");
    const auto repository = "--git-dir=" + (directory.path() / "r.git").string();
    REQUIRE(Git("", 1 << 20).run({repository, "init", "--bare", "--quiet"}, {}).status.ok());
    std::string noise; // that zlib makes no smaller
    for (unsigned i = 0, x = 1; i < 200'000; ++i)
        noise += static_cast<char>((x = x * 1664525 + 1013904223) >> 24);
    base::write_file(directory.path() / "noise", noise);
    const auto write = [&](std::uint64_t limit) {
        return Git("", limit).run(
            {repository, "hash-object", "-w", (directory.path() / "noise").string()}, {});
    };
    CHECK(fault_of(write(100'000)) == GitFault::too_large);
    CHECK(write(1 << 20).status.ok());
}

TEST_CASE("what git, ssh and the remote print is told apart") {
    for (const auto& [error, fault] : std::vector<std::pair<const char*, GitFault>>{
             {"fatal: fetch-pack: invalid index-pack output\n", GitFault::too_large},
             {"Host key verification failed.\nfatal: Could not read from remote repository.",
              GitFault::host_key},
             {"git@host: Permission denied (publickey).", GitFault::key_refused},
             {"fatal: unable to access 'https://a/b/': The requested URL returned error: 302",
              GitFault::redirected},
             {"remote: Not Found\nfatal: repository 'https://a/b/' not found",
              GitFault::no_repository},
             {"fatal: couldn't find remote ref refs/heads/x", GitFault::no_such_ref},
             {"fatal: remote error: upload-pack: not our ref 12", GitFault::no_such_ref},
             {"error: object 12: badTree: x\nfatal: fsck error in packed object",
              GitFault::damaged},
             {"fatal: unable to access 'https://a/': Could not resolve host: a",
              GitFault::unreachable},
             {"fatal: the remote end hung up unexpectedly", GitFault::other},
         }) {
        INFO(error);
        CHECK(fault_of(failed(error)) == fault);
    }
}

TEST_CASE("the reason is git's own sentence, short and printable") {
    CHECK(remotes::reason_of(failed("remote: chatter\nerror: first\nfatal: \x1b[31mwhy\n")) ==
          "why");
    CHECK(remotes::reason_of(failed("  something else \n")) == "something else");
    CHECK(remotes::reason_of(failed("fatal: " + std::string(5000, 'x'))).size() <= 500);
}
