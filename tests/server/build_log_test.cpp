#include "server/build_log.h"

#include "base/temp_dir.h"

#include <catch2/catch.hpp>

#include <poll.h>

namespace {

struct Log {
    base::TempDir directory{"log"};
    std::filesystem::path file = directory.path() / "b.log";
    server::BuildLog log{file, 100};
};

bool is_awake(const server::BuildLog::Follower& follower) {
    pollfd fd{follower.fd(), POLLIN, 0};
    return ::poll(&fd, 1, 0) == 1;
}

} // namespace

TEST_CASE("any number of readers read from any offset, while a log grows") {
    Log one;
    one.log.append("first");
    const auto start = one.log.read(0);
    CHECK(start.text == "first\n");
    CHECK(start.next == 6);
    CHECK_FALSE(start.over);
    one.log.append("second");
    CHECK(one.log.read(start.next).text == "second\n");
    CHECK(one.log.read(0).text == "first\nsecond\n");
    CHECK(one.log.read(1000).text.empty());
}

TEST_CASE("a follower is woken by each line and by the end") {
    Log one;
    const auto follower = one.log.follow();
    CHECK_FALSE(is_awake(*follower));
    one.log.append("line");
    CHECK(is_awake(*follower));
    follower->clear();
    CHECK_FALSE(is_awake(*follower));
    one.log.finish();
    CHECK(is_awake(*follower));
    CHECK_FALSE(one.log.read(0).text.empty());
    CHECK(one.log.read(5).over);
}

TEST_CASE("a log ends at its limit with a line that says so") {
    Log one;
    for (int i = 0; i < 100; ++i) one.log.append("ten bytes");
    one.log.finish();
    const auto piece = one.log.read(0);
    CHECK(piece.text.size() < 200);
    CHECK(piece.text.find("reached its limit") != std::string::npos);
    CHECK(piece.over);
}

TEST_CASE("the file of a build that has ended reads as its log did") {
    Log one;
    one.log.append("first");
    one.log.append("second");
    one.log.finish();
    const auto all = server::read_log_file(one.file, 0);
    CHECK(all.text == "first\nsecond\n");
    CHECK(all.over);
    CHECK(server::read_log_file(one.file, 6).text == "second\n");
    CHECK(server::read_log_file(one.directory.path() / "none.log", 0).over);
}
