// Blocks of bytes handed from one thread to another, a fixed number of them going round: who fills
// waits for an empty one, who empties for a full one. Either side may give up, and the other then
// learns it instead of waiting.
#pragma once

#include "base/buffer.h"
#include "base/guarded.h"

#include <cstddef>
#include <deque>
#include <optional>
#include <string_view>
#include <utility>
#include <vector>

namespace image {

// Whoever is at a queue's other end has given up; it says why.
struct NobodyListens {};

class BlockQueue {
  public:
    struct Block {
        base::Buffer bytes;
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
    bool given_up() { return blocks_.lock()->given_up; }

  private:
    struct Blocks {
        std::deque<Block> full, empty;
        bool given_up = false;
    };

    std::optional<Block> take(std::deque<Block> Blocks::*from);
    void put(std::deque<Block> Blocks::*to, Block block);

    base::Guarded<Blocks> blocks_;
};

// Whatever ends a thread, those that wait at these queues learn it.
class Connection {
  public:
    explicit Connection(std::vector<BlockQueue*> queues) : queues_(std::move(queues)) {}
    ~Connection() {
        if (!complete_)
            for (auto* queue : queues_) queue->give_up();
    }
    Connection(const Connection&) = delete;
    Connection& operator=(const Connection&) = delete;
    void complete() noexcept { complete_ = true; }

  private:
    const std::vector<BlockQueue*> queues_;
    bool complete_ = false;
};

// One thread's end of a queue for bytes of any number. Both throw NobodyListens.
class BlockWriter {
  public:
    BlockWriter(BlockQueue& queue, std::size_t block_size) : queue_(queue), size_(block_size) {}
    void write(std::string_view bytes);
    void finish(); // once

  private:
    BlockQueue::Block& block();

    BlockQueue& queue_;
    const std::size_t size_;
    std::optional<BlockQueue::Block> block_;
};

class BlockReader {
  public:
    explicit BlockReader(BlockQueue& queue) : queue_(queue) {}
    std::size_t read(char* buffer, std::size_t size); // 0 at the end

  private:
    BlockQueue& queue_;
    std::optional<BlockQueue::Block> block_;
    std::size_t given_ = 0; // of block_
    bool ended_ = false;
};

} // namespace image
