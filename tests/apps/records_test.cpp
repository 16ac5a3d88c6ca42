#include "apps/records.h"

#include <catch2/catch.hpp>

#include <algorithm>

TEST_CASE("build ids are unlike and sort by time") {
    std::vector<std::string> ids;
    for (int i = 0; i < 200; ++i) ids.push_back(apps::new_build_id());
    for (const auto& id : ids) {
        CHECK(id.size() == 13);
        CHECK(id[0] == 'b');
    }
    const auto start = apps::now_milliseconds();
    while (apps::now_milliseconds() == start) {
    }
    const auto later = apps::new_build_id();
    CHECK(std::all_of(ids.begin(), ids.end(), [&](const auto& id) { return id < later; }));
}
