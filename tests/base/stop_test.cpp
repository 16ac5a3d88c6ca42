#include "base/error.h"
#include "base/fd.h"
#include "base/guarded.h"
#include "base/stop.h"
#include "base/task_group.h"

#include <catch2/catch.hpp>

#include <atomic>
#include <poll.h>
#include <stdexcept>

using namespace base;
using namespace std::chrono_literals;

TEST_CASE("a request wakes whoever waits for a descriptor") {
    const Pipe silent = make_pipe();
    StopSource source;
    TaskGroup tasks;
    tasks.start([&](const Stop&) { source.request(); });
    CHECK_FALSE(source.stop().wait_for(silent.read.get(), POLLIN));
    tasks.join();
}

TEST_CASE("the nearer of two deadlines holds") {
    const Stop stop = Stop{}.within(1h).within(-1s).within(1h);
    CHECK(stop.expired());
    CHECK_THROWS_AS(stop.throw_if_over("waiting"), Error);
    CHECK_FALSE(Stop{}.within(1h).expired());
}

TEST_CASE("a deadline ends a wait without a source") {
    const Pipe silent = make_pipe();
    CHECK_FALSE(Stop{}.within(1ms).wait_for(silent.read.get(), POLLIN));
}

TEST_CASE("a group's first failure stops the others and comes out of join") {
    TaskGroup tasks;
    tasks.start([](const Stop& stop) { stop.wait(1h); });
    tasks.start([](const Stop&) { throw Error(ErrorKind::not_found, "lost"); });
    CHECK_THROWS_WITH(tasks.join(), "lost");
    tasks.join(); // reported once
}

TEST_CASE("a group that goes away stops and joins its threads") {
    Guarded<int> ended(0);
    {
        TaskGroup tasks;
        for (int i = 0; i < 8; ++i)
            tasks.start([&](const Stop& stop) {
                stop.wait(1h);
                ++*ended.lock();
            });
    }
    CHECK(*ended.lock() == 8);
}

TEST_CASE("a group may be started from many threads at once, its own tasks among them") {
    std::atomic<int> ran = 0;
    {
        TaskGroup tasks, starters;
        for (int thread = 0; thread < 8; ++thread)
            starters.start([&](const Stop&) {
                for (int i = 0; i < 50; ++i) tasks.start([&](const Stop&) { ++ran; });
                tasks.start([&](const Stop&) { tasks.start([&](const Stop&) { ++ran; }); });
            });
        starters.join();
        tasks.join();
        CHECK(ran == 8 * 51);
        tasks.start([&](const Stop&) { ++ran; }); // it lives on
    }
    CHECK(ran == 8 * 51 + 1);
}
