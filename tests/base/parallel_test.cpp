#include "base/parallel.h"

#include "base/error.h"

#include <atomic>
#include <catch2/catch.hpp>
#include <vector>

TEST_CASE("each number is worked on once, on no more threads than asked for") {
    std::vector<std::atomic<int>> done(50);
    std::atomic<int> running = 0, most = 0;
    base::for_each_parallel(done.size(), 3, [&](std::size_t i) {
        const int now = ++running;
        for (int seen = most; seen < now && !most.compare_exchange_weak(seen, now);) {
        }
        ++done[i];
        --running;
    });
    for (const auto& times : done) CHECK(times == 1);
    CHECK(most <= 3);
}

TEST_CASE("the first failure comes out, and the others learn of it") {
    std::atomic<bool> learnt = false;
    const auto work = [&](std::size_t i, const base::Stop& others) {
        if (i == 1) throw base::Error(base::ErrorKind::denied, "the second");
        learnt = others.wait(std::chrono::minutes(1));
    };
    try {
        base::for_each_parallel(100, 2, work);
        FAIL("nothing was thrown");
    } catch (const base::Error& error) {
        CHECK(error.kind() == base::ErrorKind::denied);
    }
    CHECK(learnt);
}
