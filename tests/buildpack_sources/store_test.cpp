#include "store.h"

#include "base/fd.h"
#include "base/in_use.h"
#include "base/temp_dir.h"

#include <catch2/catch.hpp>

namespace fs = std::filesystem;

TEST_CASE("a tree is in use from the moment that somebody finds or makes it") {
    const base::TempDir directory("slipway-test");
    const sources::Store store(directory.path());
    const auto fill = [](const fs::path& tree) { base::write_file(tree / "file", "x"); };
    const auto made = store.obtain("made", fill, {});
    CHECK(base::read_file(made / "file") == "x");
    CHECK_FALSE(base::while_unused(made, [] {}));

    const auto there = directory.path() / "trees" / "there";
    fs::create_directory(there); // fetched by an earlier build
    CHECK(base::while_unused(there, [] {}));
    CHECK(store.find("there") == there);
    CHECK_FALSE(base::while_unused(there, [] {}));
    CHECK_FALSE(store.find("nowhere"));
}
