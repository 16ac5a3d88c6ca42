#include "base/in_use.h"

#include "base/error.h"
#include "base/task_group.h"
#include "base/temp_dir.h"

#include <catch2/catch.hpp>

#include <sys/wait.h>
#include <unistd.h>

using namespace base;
namespace fs = std::filesystem;

namespace {

bool is_free(const fs::path& path) {
    return while_unused(path, [] {});
}

} // namespace

TEST_CASE("what is used is left alone, by however many, until the last lets it go") {
    const TempDir directory("in-use");
    const auto tree = directory.path() / "tree";
    fs::create_directory(tree);
    {
        auto one = use(tree);
        const auto two = use(tree);
        REQUIRE(one);
        REQUIRE(two);
        one.reset();
        CHECK_FALSE(is_free(tree));
    }
    CHECK(is_free(tree));
    CHECK_FALSE(use(directory.path() / "none"));
    CHECK_FALSE(is_free(directory.path() / "none"));
}

TEST_CASE("a process uses what it said to its end, and no longer when it is killed") {
    const TempDir directory("in-use");
    const auto tree = directory.path() / "tree";
    fs::create_directory(tree);
    auto ready = make_pipe();
    const auto child = ::fork();
    if (child == 0) {
        const bool used = use_to_the_end(tree) && use_to_the_end(tree);
        if (used) write_all(ready.write.get(), "x");
        for (;;) ::pause();
    }
    REQUIRE(child > 0);
    char byte = 0;
    REQUIRE(read_some(ready.read.get(), &byte, 1) == 1);
    CHECK_FALSE(is_free(tree));
    ::kill(child, SIGKILL);
    REQUIRE(::waitpid(child, nullptr, 0) == child);
    CHECK(is_free(tree));
}

TEST_CASE("who comes while it is decided finds it gone, or finds what stands there then") {
    const TempDir directory("in-use");
    const auto tree = directory.path() / "tree", away = directory.path() / "away";
    fs::create_directory(tree);
    TaskGroup threads;
    bool decided = false, found = true;
    const auto opened = make_pipe();
    REQUIRE(while_unused(tree, [&] {
        threads.start([&](const Stop&) {
            write_all(opened.write.get(), "x");
            found = static_cast<bool>(use(tree));
        });
        char byte = 0;
        read_some(opened.read.get(), &byte, 1);
        fs::rename(tree, away);
        decided = true;
    }));
    threads.join();
    CHECK(decided);
    CHECK_FALSE(found);

    fs::create_directory(tree);
    REQUIRE(while_unused(tree, [&] {
        fs::rename(tree, directory.path() / "away too");
        fs::create_directory(tree);
    }));
    const auto used = use(tree);
    CHECK(used);
    CHECK_FALSE(is_free(tree));
}
