// Blocks of bytes handed from one thread to another, a fixed number of them going round: who fills
// waits for an empty one, who empties for a full one. Either side may give up, and the other then
// learns it instead of waiting.
#pragma once

#include "base/guarded.h"

#include <deque>
#include <memory>
#include <optional>

namespace image {

class BlockQueue {
  public:
    struct Block {
        std::unique_ptr<char[]> bytes; // not zeroed: a small layer touches few pages of it
        std::size_t used = 0;
        bool last = false;
    };

    BlockQueue(std::size_t blocks, std::size_t block_size);

    // Empty: the other side has given up.
    std::optional<Block> take_empty();
    std::optional<Block> take_full();
    void put_full(Block block);
    void put_empty(Block block);
    void give_up() noexcept;

  private:
    struct Blocks {
        std::deque<Block> full, empty;
        bool given_up = false;
    };

    std::optional<Block> take(std::deque<Block> Blocks::*from);
    void put(std::deque<Block> Blocks::*to, Block block);

    base::Guarded<Blocks> blocks_;
};

} // namespace image
