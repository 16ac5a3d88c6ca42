// The same work for each of a number of things, several at a time, begun in their order.
#pragma once

#include "base/guarded.h"
#include "base/task_group.h"

#include <algorithm>
#include <cstddef>

namespace builder {

// `work` gets each number below `count` once, on one of `threads` threads. The first that throws
// ends the rest, and comes out.
template <class Work>
void for_each_parallel(std::size_t count, std::size_t threads, const Work& work) {
    base::Guarded<std::size_t> next(0);
    base::TaskGroup group;
    for (std::size_t i = 0; i < std::min(threads, count); ++i)
        group.start([&](const base::Stop& others) {
            while (!others.requested()) {
                const std::size_t mine = (*next.lock())++;
                if (mine >= count) return;
                work(mine);
            }
        });
    group.join();
}

} // namespace builder
