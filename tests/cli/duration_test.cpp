#include "duration.h"

#include "base/error.h"

#include <catch2/catch.hpp>

TEST_CASE("spans of time have a unit") {
    using std::chrono::seconds;
    CHECK(cli::parse_duration("90d") == seconds(90 * 86400));
    CHECK(cli::parse_duration("12h") == seconds(12 * 3600));
    CHECK(cli::parse_duration("30m") == seconds(1800));
    CHECK(cli::parse_duration("2w") == seconds(14 * 86400));
    for (const char* wrong : {"", "90", "d", "0d", "-1d", "1.5h", "90 d", "99999999999999999999d",
                              "9223372036854775807w"})
        CHECK_THROWS_AS(cli::parse_duration(wrong), base::Error);
}
