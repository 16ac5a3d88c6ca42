#include "phases/fetch.h"

#include "base/error.h"
#include "base/fd.h"
#include "base/process.h"
#include "base/temp_dir.h"
#include "base/text.h"

#include <catch2/catch.hpp>

#include <sys/stat.h>
#include <unistd.h>

using namespace builder;
namespace fs = std::filesystem;

namespace {

// A real repository made by the real git.
class Repository {
  public:
    Repository() { git({"init", "-q", "-b", "main", "."}); }

    std::string git(std::vector<std::string> words) const {
        std::vector<std::string> argv{"git", "-C", tree().string()};
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

    void write(const std::string& name, const std::string& bytes) const {
        fs::create_directories((tree() / name).parent_path());
        base::write_file(tree() / name, bytes);
    }

    std::string commit() const {
        git({"add", "-A"});
        git({"commit", "-q", "--allow-empty", "-m", "x"});
        return git({"rev-parse", "HEAD"});
    }

    fs::path tree() const { return directory_.path(); }
    GitTree source(const std::string& commit) const { return {tree() / ".git", commit, {}}; }

  private:
    base::TempDir directory_{"slipway-test"};
};

struct Checkout {
    base::TempDir directory{"slipway-test"};
    Fetched fetch(const GitTree& source, JobLimits limits = {}) const {
        return fetch_git_tree(source, limits, directory.path(), {::getuid(), ::getgid()}, {});
    }
    fs::path operator/(const std::string& name) const { return directory.path() / name; }
};

unsigned mode_of(const fs::path& path) {
    struct stat status {};
    REQUIRE(::lstat(path.c_str(), &status) == 0);
    return status.st_mode & 07777;
}

} // namespace

TEST_CASE("files, modes and links come out as they were committed") {
    const Repository repository;
    repository.write("a.txt", "hello");
    repository.write("bin/run", "#!/bin/sh\n");
    fs::permissions(repository.tree() / "bin/run", fs::perms(0755));
    fs::create_symlink("../a.txt", repository.tree() / "bin/link");
    fs::create_symlink("/etc/passwd", repository.tree() / "outside");
    const Checkout target;
    const auto fetched = target.fetch(repository.source(repository.commit()));
    CHECK(fetched.files == 4);
    CHECK(base::read_file(target / "a.txt") == "hello");
    CHECK(mode_of(target / "a.txt") == 0644);
    CHECK(mode_of(target / "bin/run") == 0755);
    CHECK(fs::read_symlink(target / "bin/link") == "../a.txt");
    CHECK(fs::read_symlink(target / "outside") == "/etc/passwd");
    CHECK_FALSE(fs::exists(target / ".git"));
}

TEST_CASE("a submodule is refused by its path, with the way out") {
    const Repository repository;
    repository.write("a.txt", "hello");
    const auto commit = repository.commit();
    repository.git({"update-index", "--add", "--cacheinfo", "160000," + commit + ",vendor/lib"});
    repository.git({"commit", "-q", "-m", "submodule"});
    const Checkout target;
    try {
        target.fetch(repository.source(repository.git({"rev-parse", "HEAD"})));
        FAIL("a submodule was fetched");
    } catch (const base::Error& error) {
        CHECK(error.kind() == base::ErrorKind::invalid_input);
        CHECK_THAT(error.message(), Catch::Contains("vendor/lib") && Catch::Contains("submodule"));
        CHECK_FALSE(error.hint().empty());
    }
}

TEST_CASE("objects of a push are read from its quarantine") {
    const Repository base, pushed;
    pushed.write("new.txt", "new");
    const auto commit = pushed.commit();
    const Checkout target;
    auto source = base.source(commit);
    CHECK_THROWS_AS(target.fetch(source), base::Error);
    source.quarantine = pushed.tree() / ".git/objects";
    target.fetch(source);
    CHECK(base::read_file(target / "new.txt") == "new");
}

TEST_CASE("a shallow history is enough") {
    const Repository repository;
    repository.write("a", "1");
    repository.commit();
    repository.write("a", "2");
    const auto commit = repository.commit();
    const base::TempDir clone("slipway-test");
    repository.git({"clone", "-q", "--bare", "--depth", "1", "file://" + repository.tree().string(),
                    (clone.path() / "c").string()});
    const Checkout target;
    target.fetch({clone.path() / "c", commit, {}});
    CHECK(base::read_file(target / "a") == "2");
}

TEST_CASE("a name with a control character is refused, and shown without it") {
    const Repository repository;
    repository.write("evil\x1b[2J", "x");
    const Checkout target;
    CHECK_THROWS_WITH(target.fetch(repository.source(repository.commit())),
                      Catch::Contains("evil^[[2J") && Catch::Contains("control character"));
}

TEST_CASE("a tree that names .git or climbs up is refused even when git's own checks were off") {
    const Repository repository;
    repository.write("a", "x");
    repository.commit();
    const auto blob = repository.git({"rev-parse", "HEAD:a"});
    for (const std::string name : {".git", ".GIT", ".."}) {
        // git mktree takes what git add would refuse.
        const base::TempDir scratch("slipway-test");
        base::write_file(scratch.path() / "list", "100644 blob " + blob + "\t" + name + "\n");
        const auto made =
            base::run({.argv = {"sh", "-c", "git -C \"$0\" mktree < \"$1\"",
                                repository.tree().string(), (scratch.path() / "list").string()},
                       .environment = base::minimal_environment()},
                      {});
        REQUIRE(made.status.ok());
        const auto commit = repository.git({"commit-tree", "-m", "x", base::trim(made.output)});
        const Checkout target;
        CHECK_THROWS_AS(target.fetch(repository.source(commit)), base::Error);
        CHECK(fs::is_empty(target.directory.path()));
    }
}

TEST_CASE("sources over a limit are refused with the file that went over it") {
    const Repository repository;
    repository.write("small", "x");
    repository.write("video.mp4", std::string(100'000, 'x'));
    const auto commit = repository.commit();
    JobLimits limits;
    limits.source_bytes = 50'000;
    CHECK_THROWS_WITH(Checkout().fetch(repository.source(commit), limits),
                      Catch::Contains("video.mp4"));
    limits = {};
    limits.source_entries = 1;
    CHECK_THROWS_WITH(Checkout().fetch(repository.source(commit), limits),
                      Catch::Contains("1 files"));
}

TEST_CASE("a commit that is not there is an error, not an empty tree") {
    const Repository repository;
    repository.write("a", "x");
    repository.commit();
    CHECK_THROWS_AS(Checkout().fetch(repository.source(std::string(40, 'a'))), base::Error);
    CHECK_THROWS_AS(Checkout().fetch(repository.source("not-a-commit")), base::Error);
}
