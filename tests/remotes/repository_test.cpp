#include "remotes/keys.h"
#include "remotes/repository.h"

#include "errors.h"

#include "base/error.h"
#include "base/fd.h"
#include "base/process.h"
#include "base/temp_dir.h"
#include "base/text.h"
#include "skip.h"

#include <catch2/catch.hpp>

#include <cstdlib>
#include <filesystem>
#include <unistd.h>

namespace {

namespace fs = std::filesystem;
using base::Error;
using base::ErrorKind;

// A forge with one repository, owner/app, over real HTTP.
class Forge {
  public:
    explicit Forge(std::vector<std::string> options = {}) {
        git({"init", "-q", "-b", "main", tree().string()});
        fs::create_directories(directory_.path() / "owner");
        git({"init", "-q", "--bare", bare().string()});
        std::vector<std::string> argv{SLIPWAY_SOURCE_DIR "/tests/support/forge.py",
                                      directory_.path().string()};
        argv.insert(argv.end(), options.begin(), options.end());
        auto pipe = base::make_pipe();
        process_.emplace(base::Process::start({.argv = argv,
                                               .environment = base::minimal_environment(),
                                               .descriptors = {{1, pipe.write.get()}, {2, 2}}}));
        pipe.write.reset();
        for (char c; base::read_some(pipe.read.get(), &c, 1) == 1 && c != '\n';) port_ += c;
    }

    std::string commit(const std::string& text) const {
        base::write_file(tree() / "file", text);
        git({"-C", tree().string(), "add", "-A"});
        git({"-C", tree().string(), "commit", "-q", "--allow-empty", "-m", text});
        git({"-C", tree().string(), "push", "-q", "--force", bare().string(), "HEAD:main"});
        return git({"-C", tree().string(), "rev-parse", "HEAD"});
    }

    static std::string git(const std::vector<std::string>& words) {
        std::vector<std::string> argv{"git"};
        argv.insert(argv.end(), words.begin(), words.end());
        const auto result =
            base::run({.argv = argv,
                       .environment = base::minimal_environment(
                           {"GIT_AUTHOR_NAME=a", "GIT_AUTHOR_EMAIL=a@b", "GIT_COMMITTER_NAME=a",
                            "GIT_COMMITTER_EMAIL=a@b", "GIT_CONFIG_GLOBAL=/dev/null"})},
                      {});
        INFO(result.error);
        REQUIRE(result.status.ok());
        return base::trim(result.output);
    }

    std::string url() const { return "http://127.0.0.1:" + port_ + "/owner/app.git"; }
    fs::path tree() const { return directory_.path() / "tree"; }
    fs::path bare() const { return directory_.path() / "owner" / "app.git"; }
    std::string calls() const { return base::read_file(directory_.path() / "calls.log"); }

    remotes::Settings settings() const {
        return {.policy = {.allowed_private_hosts = {"127.0.0.1:" + port_}, .setting = "the.key"},
                .scratch = directory_.path()};
    }
    remotes::Repository repository(const std::string& token = {}) const {
        return {.url = url(), .token = base::Secret(token)};
    }
    fs::path target() const { return directory_.path() / base::random_hex(8); }

  private:
    base::TempDir directory_{"slipway-test"};
    std::string port_;
    std::optional<base::Process> process_;
};

std::size_t commits_in(const fs::path& repository) {
    const auto list = Forge::git({"-C", repository.string(), "rev-list", "--all"});
    return static_cast<std::size_t>(std::count(list.begin(), list.end(), '\n')) + 1;
}

} // namespace

TEST_CASE("one commit is brought without its history, and no other") {
    const Forge forge;
    const auto first = forge.commit("one"), second = forge.commit("two");
    forge.commit("three");
    const auto target = forge.target();
    remotes::fetch_commit(forge.repository(), second, "refs/heads/main", target, forge.settings(),
                          {});
    CHECK(Forge::git({"-C", target.string(), "cat-file", "-p", second + ":file"}) == "two");
    CHECK(commits_in(target) == 1);
}

TEST_CASE("a server that hands out no bare commits is asked for the ref, however far it moved on") {
    const Forge forge({"--no-bare-commits"});
    const auto wanted = forge.commit("wanted");
    const auto bring = [&] {
        const auto target = forge.target();
        remotes::fetch_commit(forge.repository(), wanted, "refs/heads/main", target,
                              forge.settings(), {});
        CHECK(Forge::git({"-C", target.string(), "cat-file", "-p", wanted + ":file"}) == "wanted");
    };
    bring();
    forge.commit("later");
    bring();
    for (int i = 0; i < 60; ++i) forge.commit(std::to_string(i));
    bring();
}

TEST_CASE("a commit that is not there is said to be so") {
    const Forge forge;
    forge.commit("one");
    CHECK(kind_of([&] {
              remotes::fetch_commit(forge.repository(), std::string(40, 'a'), "refs/heads/main",
                                    forge.target(), forge.settings(), {});
          }) == ErrorKind::not_found);
    CHECK(kind_of([&] {
              remotes::fetch_commit(forge.repository(), "main", "refs/heads/main", forge.target(),
                                    forge.settings(), {});
          }) == ErrorKind::invalid_input);
}

TEST_CASE("the heads that are asked for are listed, and those alone") {
    const Forge forge;
    const auto head = forge.commit("one");
    Forge::git({"-C", forge.bare().string(), "branch", "x/refs/heads/main", "main"});
    const auto heads = remotes::list_refs(
        forge.repository(), {"refs/heads/main", "refs/heads/none"}, forge.settings(), {});
    CHECK(heads == std::map<std::string, std::string>{{"refs/heads/main", head}});
}

TEST_CASE("a private repository opens with its token, and the way out is said without one") {
    const Forge forge({"--token", "s3cret"});
    const auto commit = forge.commit("one");
    const auto list = [&](const std::string& token) {
        return remotes::list_refs(forge.repository(token), {"refs/heads/main"}, forge.settings(),
                                  {});
    };
    CHECK(list("s3cret").size() == 1);
    CHECK(list("somebody:s3cret").size() == 1);
    CHECK(kind_of([&] { list(""); }) == ErrorKind::not_found);
    CHECK_THROWS_WITH(list("wrong"), Catch::Contains("that the token may read"));
    CHECK_THROWS_WITH(list("wrong"), !Catch::Contains("wrong"));
    remotes::fetch_commit(forge.repository("s3cret"), commit, "", forge.target(), forge.settings(),
                          {});
}

TEST_CASE("an address that is not public is not called, unless the operator allows the host") {
    const Forge forge;
    forge.commit("one");
    auto settings = forge.settings();
    settings.policy.allowed_private_hosts = {"127.0.0.1:1"};
    for (const std::string& url :
         {forge.url(), std::string("https://127.0.0.1/x"), std::string("https://localhost/x"),
          std::string("ssh://git@127.0.0.1:22/x"), std::string("https://[::1]/x"),
          std::string("https://[64:ff9b::a9fe:a9fe]/x"), std::string("https://169.254.169.254/x")})
        CHECK(kind_of([&] {
                  remotes::list_refs({.url = remotes::normal_url(url),
                                      .ssh_key = base::Secret("k"),
                                      .known_hosts = "h"},
                                     {"refs/heads/main"}, settings, {});
              }) == ErrorKind::denied);
    CHECK_FALSE(fs::exists(forge.bare().parent_path().parent_path() / "calls.log"));
}

TEST_CASE("a pack over the limit is not kept") {
    const Forge forge;
    const auto noise = base::random_hex(50'000); // no compressor makes less than a half of it
    const auto commit = forge.commit(noise);
    auto settings = forge.settings();
    settings.most_bytes = 10'000;
    CHECK(kind_of([&] {
              remotes::fetch_commit(forge.repository(), commit, "", forge.target(), settings, {});
          }) == ErrorKind::limit_exceeded);
}

TEST_CASE("a ref that git would read as something else is refused") {
    const Forge forge;
    forge.commit("one");
    for (const char* ref : {"main", "--upload-pack=x", "refs/heads/a:refs/heads/b", "refs/heads/*",
                            "refs/heads/a..b", "refs/heads/a\nb", "refs/heads/a b"})
        CHECK(kind_of([&] {
                  remotes::list_refs(forge.repository(), {ref}, forge.settings(), {});
              }) == ErrorKind::invalid_input);
}

TEST_CASE("keys that a killed process left are swept, and nothing else") {
    const base::TempDir run("run-");
    for (const char* left : {"git--AbC123", "key--AbC123", "keys--AbC123"}) {
        fs::create_directory(run.path() / left);
        base::write_file(run.path() / left / "key", "PRIVATE KEY", 0600);
    }
    base::write_file(run.path() / "server.json", "{}");
    fs::create_directory(run.path() / "other");
    remotes::sweep(run.path());
    CHECK(std::distance(fs::directory_iterator(run.path()), {}) == 2);
    CHECK(fs::exists(run.path() / "server.json"));
}

TEST_CASE("on a server git is not root, and has a limit of memory") {
    if (::geteuid() != 0) return; // only root can be somebody else
    const base::TempDir programs("programs-");
    fs::permissions(programs.path(), fs::perms(0755));
    base::write_file(programs.path() / "git",
                     "#!/bin/sh\necho \"fatal: I am $(id -u) with $(ulimit -v)\" >&2\nexit 1\n",
                     0755);
    const base::TempDir scratch("scratch-");
    const std::string path = std::getenv("PATH");
    ::setenv("PATH", (programs.path().string() + ":" + path).c_str(), 1);
    std::string said;
    try {
        remotes::list_refs({.url = "https://127.0.0.1:1/owner/app.git"}, {"refs/heads/main"},
                           {.policy = {.any_host = true},
                            .scratch = scratch.path(),
                            .run_as = std::pair(uid_t{65534}, gid_t{65534})},
                           {});
    } catch (const Error& error) {
        said = error.message();
    }
    ::setenv("PATH", path.c_str(), 1);
    CHECK(said.find("I am 65534 with 4194304") != said.npos);
}
