#include "base/beneath.h"
#include "base/error.h"
#include "base/fd.h"
#include "base/json.h"
#include "base/temp_dir.h"

#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

#include <fcntl.h>
#include <fstream>
#include <sys/stat.h>

using namespace base;
namespace fs = std::filesystem;

TEST_CASE("replacing a file leaves the old one or the new one, and nothing beside it") {
    const TempDir directory("slipway-test");
    const auto file = directory.path() / "f";
    replace_file(file, "one");
    replace_file(file, "two", 0600);
    CHECK(read_file(file) == "two");
    CHECK(std::distance(fs::directory_iterator(directory.path()), {}) == 1);
}

TEST_CASE("a full disk is told as such, with the way out") {
    if (!fs::exists("/dev/full")) return;
    try {
        write_file("/dev/full", "x");
        FAIL("a full disk took a byte");
    } catch (const Error& error) {
        CHECK(error.kind() == ErrorKind::unavailable);
        CHECK_FALSE(error.hint().empty());
    }
}

TEST_CASE("a file that is larger than allowed is refused, not read in half") {
    const TempDir directory("slipway-test");
    write_file(directory.path() / "f", std::string(1000, 'x'));
    CHECK_THROWS_AS(read_file(directory.path() / "f", 999), Error);
}

TEST_CASE("a temporary directory goes with read-only directories in it") {
    fs::path path;
    {
        const TempDir directory("slipway-test");
        path = directory.path();
        fs::create_directories(path / "a/b");
        write_file(path / "a/b/f", "x");
        fs::permissions(path / "a/b", fs::perms::owner_read | fs::perms::owner_exec);
    }
    CHECK_FALSE(fs::exists(path));
}

TEST_CASE("a tree that is deeper than a process may open files is removed") {
    const TempDir directory("slipway-test");
    const auto top = directory.path() / "top";
    fs::create_directory(top);
    UniqueFd at = open_file(top, O_RDONLY | O_DIRECTORY);
    for (int depth = 0; depth < 3000; ++depth) {
        REQUIRE(::mkdirat(at.get(), "d", 0755) == 0);
        at = UniqueFd(::openat(at.get(), "d", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
        REQUIRE(at);
    }
    remove_tree(top);
    CHECK_FALSE(fs::exists(top));
}

TEST_CASE("a file made in a stranger's directory goes through no link") {
    const TempDir directory("slipway-test");
    const auto root = directory.path() / "root", victim = directory.path() / "victim";
    fs::create_directories(root / "slot");
    fs::create_directory(victim);
    write_file(victim / "file", "old");
    fs::create_directory_symlink(victim, root / "link");
    fs::create_symlink(victim / "file", root / "slot/linked");
    for (const char* name : {"link/new", "link/file", "slot/linked", "../victim/new"})
        CHECK_THROWS_AS(create_beneath(root, name), Error);
    CHECK_FALSE(fs::exists(victim / "new"));
    CHECK(read_file(victim / "file") == "old");
    write_all(create_beneath(root, "slot/file").get(), "x");
    CHECK(read_file(root / "slot/file") == "x");
}

TEST_CASE("a missing or wrong member is named") {
    const auto value = json::parse(R"({"name": 3, "list": ["a", 1]})", "the request");
    CHECK_THROWS_WITH(json::get_string(value, "name"), "\"name\" must be a string");
    CHECK_THROWS_WITH(json::get_string(value, "other"), "\"other\" must be given");
    CHECK_THROWS_WITH(json::get_strings(value, "list"), "\"list\" must be a string");
    CHECK_FALSE(json::find_string(value, "other"));
}

TEST_CASE("JSON nests 64 deep and no deeper; brackets in strings do not count") {
    const auto nested = [](std::size_t depth, const std::string& inside) {
        return std::string(depth, '[') + inside + std::string(depth, ']');
    };
    CHECK_NOTHROW(json::parse(nested(64, "1"), "it"));
    CHECK_THROWS_AS(json::parse(nested(65, "1"), "it"), base::Error);
    CHECK_NOTHROW(json::parse(nested(64, "\"" + std::string(100, '[') + "\\\"[[\""), "it"));
    CHECK_THROWS_AS(json::parse("\"" + std::string(100, '['), "it"), base::Error);
    CHECK_THROWS_AS(json::parse(std::string(100, ']'), "it"), base::Error);
}

TEST_CASE("JSON that nests without end is refused") {
    CHECK_THROWS_WITH(json::parse(std::string(100000, '['), "the request"),
                      "the request is not valid JSON");
}

TEST_CASE("every kind of error has a name that reads back") {
    for (int i = 0; i <= static_cast<int>(ErrorKind::internal); ++i) {
        const auto kind = static_cast<ErrorKind>(i);
        CHECK(parse_error_kind(to_string(kind)) == kind);
    }
    CHECK_FALSE(parse_error_kind("nonsense"));
}
