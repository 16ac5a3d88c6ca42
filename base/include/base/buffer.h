// Large pieces of memory for a moment. The kernel clears each page of fresh memory when it is first
// touched, which was a tenth of the processor time of an export whose threads took theirs anew for
// each layer. Any thread.
#pragma once

#include <cstddef>
#include <memory>

namespace base {

struct GiveBuffer {
    std::size_t size = 0;
    void operator()(char* bytes) const noexcept;
};
using Buffer = std::unique_ptr<char[], GiveBuffer>;

// Not zeroed: it may hold what another had in it. Throws std::bad_alloc.
Buffer take_buffer(std::size_t size);

// While one of these lives, a buffer that is given back is kept for the next taker of its size.
// With the last of them all go.
class KeepBuffers {
  public:
    KeepBuffers();
    ~KeepBuffers();
    KeepBuffers(const KeepBuffers&) = delete;
    KeepBuffers& operator=(const KeepBuffers&) = delete;
};

} // namespace base
