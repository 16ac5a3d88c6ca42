// The same work for each of a number of things, several at a time, begun in their order.
#pragma once

#include "base/guarded.h"
#include "base/task_group.h"

#include <algorithm>
#include <cstddef>
#include <type_traits>

namespace base {

// `work` gets each number below `count` once, on one of `threads` threads, and when it takes a
// second argument a Stop that is requested as soon as the work for another number has thrown. The
// first that throws ends the rest, and comes out.
template <class Work>
void for_each_parallel(std::size_t count, std::size_t threads, const Work& work) {
    Guarded<std::size_t> next(0);
    TaskGroup group;
    for (std::size_t i = 0; i < std::min(threads, count); ++i)
        group.start([&](const Stop& others) {
            while (!others.requested()) {
                const std::size_t mine = (*next.lock())++;
                if (mine >= count) return;
                if constexpr (std::is_invocable_v<const Work&, std::size_t, const Stop&>)
                    work(mine, others);
                else
                    work(mine);
            }
        });
    group.join();
}

} // namespace base
