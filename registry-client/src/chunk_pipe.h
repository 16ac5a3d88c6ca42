// Bytes on their way from the thread that makes them to the thread that sends them: one chunk is
// filled while another is sent, so memory is two chunks.
#pragma once

#include "base/buffer.h"
#include "base/guarded.h"

#include <deque>
#include <optional>
#include <string_view>

namespace registry {

class ChunkPipe {
  public:
    struct Abandoned {}; // thrown into the maker when nobody reads any more

    explicit ChunkPipe(std::size_t chunk_size);

    // The maker's, one thread at a time; close once, or give_up when the bytes cannot be made.
    void write(std::string_view bytes);
    void close();
    void give_up();

    struct Chunk {
        std::string_view bytes; // full but for the last one; until the next call
        bool last = false;
    };
    // The sender's. Empty: the maker gave up.
    std::optional<Chunk> next();
    void abandon();

  private:
    struct Buffer {
        base::Buffer bytes;
        std::size_t used = 0;
        bool last = false;
    };
    struct State {
        std::deque<Buffer> full, empty;
        bool broken = false, abandoned = false;
    };
    void hand_over(bool last);

    const std::size_t size_;
    Buffer filling_, sending_;
    base::Guarded<State> state_;
};

} // namespace registry
