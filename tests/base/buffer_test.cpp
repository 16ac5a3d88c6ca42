#include "base/buffer.h"

#include <catch2/catch.hpp>

#include <thread>

namespace {

TEST_CASE("a buffer is used again by the next who takes one of its size, while buffers are kept") {
    const base::KeepBuffers keep;
    auto first = base::take_buffer(1 << 20);
    const auto* place = first.get();
    first.reset();
    const auto other = base::take_buffer(2 << 20);
    CHECK(other.get() != place);
    const auto again = base::take_buffer(1 << 20);
    CHECK(again.get() == place);
    CHECK(base::take_buffer(1 << 20).get() != place);
}

TEST_CASE("a buffer outlives the keeping of buffers") {
    base::Buffer late;
    {
        const base::KeepBuffers keep;
        base::take_buffer(4096).reset();
        late = base::take_buffer(4096);
        late[0] = 'x';
    }
    CHECK(late[0] == 'x');
    late.reset();
    CHECK(base::take_buffer(4096));
}

TEST_CASE("threads that take and give buffers do not share one") {
    const base::KeepBuffers keep;
    bool same[4] = {true, true, true, true};
    std::vector<std::thread> threads;
    for (int i = 0; i < 4; ++i)
        threads.emplace_back([&, i] {
            for (int turn = 0; turn < 1000; ++turn) {
                const auto buffer = base::take_buffer(64);
                for (int at = 0; at < 64; ++at) buffer[at] = static_cast<char>(i);
                for (int at = 0; at < 64; ++at) same[i] = same[i] && buffer[at] == i;
            }
        });
    for (auto& thread : threads) thread.join();
    for (const bool one : same) CHECK(one);
}

} // namespace
