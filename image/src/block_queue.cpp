#include "block_queue.h"

#include <algorithm>
#include <cstring>

namespace image {

BlockQueue::BlockQueue(std::size_t blocks, std::size_t block_size) {
    auto all = blocks_.lock();
    for (std::size_t i = 0; i < blocks; ++i)
        all->empty.push_back({base::take_buffer(block_size), 0, false});
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

BlockQueue::Block& BlockWriter::block() {
    if (!block_ && !(block_ = queue_.take_empty())) throw NobodyListens{};
    return *block_;
}

void BlockWriter::write(std::string_view bytes) {
    if (queue_.given_up()) throw NobodyListens{}; // bytes may come slowly
    while (!bytes.empty()) {
        auto& filling = block();
        const auto n = std::min(bytes.size(), size_ - filling.used);
        std::memcpy(filling.bytes.get() + filling.used, bytes.data(), n);
        filling.used += n;
        bytes.remove_prefix(n);
        if (filling.used < size_) continue;
        queue_.put_full(std::move(filling));
        block_.reset();
    }
}

void BlockWriter::finish() {
    block().last = true;
    queue_.put_full(std::move(*block_));
    block_.reset();
}

std::size_t BlockReader::read(char* buffer, std::size_t size) {
    while (!ended_) {
        if (!block_ && !(block_ = queue_.take_full())) throw NobodyListens{};
        if (const auto n = std::min(size, block_->used - given_); n > 0) {
            std::memcpy(buffer, block_->bytes.get() + given_, n);
            given_ += n;
            return n;
        }
        ended_ = block_->last;
        queue_.put_empty(std::move(*block_));
        block_.reset();
        given_ = 0;
    }
    return 0;
}

} // namespace image
