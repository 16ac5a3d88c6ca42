#include "block_queue.h"

namespace image {

BlockQueue::BlockQueue(std::size_t blocks, std::size_t block_size) {
    auto all = blocks_.lock();
    for (std::size_t i = 0; i < blocks; ++i)
        all->empty.push_back({std::make_unique_for_overwrite<char[]>(block_size), 0, false});
}

std::optional<BlockQueue::Block> BlockQueue::take(std::deque<Block> Blocks::*from) {
    auto blocks = blocks_.lock();
    blocks.wait([&](const Blocks& b) { return b.given_up || !(b.*from).empty(); });
    if (blocks->given_up) return std::nullopt;
    Block block = std::move(((*blocks).*from).front());
    ((*blocks).*from).pop_front();
    return block;
}

void BlockQueue::put(std::deque<Block> Blocks::*to, Block block) {
    ((*blocks_.lock()).*to).push_back(std::move(block));
    blocks_.notify_all();
}

std::optional<BlockQueue::Block> BlockQueue::take_empty() {
    return take(&Blocks::empty);
}

std::optional<BlockQueue::Block> BlockQueue::take_full() {
    return take(&Blocks::full);
}

void BlockQueue::put_full(Block block) {
    put(&Blocks::full, std::move(block));
}

void BlockQueue::put_empty(Block block) {
    block.used = 0;
    put(&Blocks::empty, std::move(block));
}

void BlockQueue::give_up() noexcept {
    blocks_.lock()->given_up = true;
    blocks_.notify_all();
}

} // namespace image
