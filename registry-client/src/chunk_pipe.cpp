#include "chunk_pipe.h"

#include <algorithm>
#include <cstring>

namespace registry {

ChunkPipe::ChunkPipe(std::size_t chunk_size) : size_(chunk_size) {
    filling_.bytes = base::take_buffer(size_);
    state_.lock()->empty.push_back({base::take_buffer(size_), 0, false});
}

// A full chunk waits until there is a byte more: only then is it known not to be the last.
void ChunkPipe::write(std::string_view bytes) {
    while (!bytes.empty()) {
        if (filling_.used == size_) hand_over(false);
        const auto n = std::min(bytes.size(), size_ - filling_.used);
        std::memcpy(filling_.bytes.get() + filling_.used, bytes.data(), n);
        filling_.used += n;
        bytes.remove_prefix(n);
    }
}

void ChunkPipe::close() {
    hand_over(true);
}

void ChunkPipe::give_up() {
    state_.lock()->broken = true;
    state_.notify_all();
}

void ChunkPipe::hand_over(bool last) {
    auto state = state_.lock();
    if (state->abandoned) throw Abandoned{};
    filling_.last = last;
    state->full.push_back(std::move(filling_));
    state_.notify_all();
    if (last) return;
    state.wait([](const State& now) { return now.abandoned || !now.empty.empty(); });
    if (state->abandoned) throw Abandoned{};
    filling_ = std::move(state->empty.front());
    state->empty.pop_front();
}

std::optional<ChunkPipe::Chunk> ChunkPipe::next() {
    auto state = state_.lock();
    if (sending_.bytes) {
        sending_.used = 0;
        state->empty.push_back(std::move(sending_));
        state_.notify_all();
    }
    state.wait([](const State& now) { return now.broken || !now.full.empty(); });
    if (state->broken) return std::nullopt;
    sending_ = std::move(state->full.front());
    state->full.pop_front();
    return Chunk{{sending_.bytes.get(), sending_.used}, sending_.last};
}

void ChunkPipe::abandon() {
    state_.lock()->abandoned = true;
    state_.notify_all();
}

} // namespace registry
