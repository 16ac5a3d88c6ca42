#include "base/error.h"
#include "base/fd.h"
#include "base/json.h"
#include "base/temp_dir.h"

#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

#include <fstream>

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

TEST_CASE("a missing or wrong member is named") {
    const auto value = json::parse(R"({"name": 3, "list": ["a", 1]})", "the request");
    CHECK_THROWS_WITH(json::get_string(value, "name"), "\"name\" must be a string");
    CHECK_THROWS_WITH(json::get_string(value, "other"), "\"other\" must be given");
    CHECK_THROWS_WITH(json::get_strings(value, "list"), "\"list\" must be a string");
    CHECK_FALSE(json::find_string(value, "other"));
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
