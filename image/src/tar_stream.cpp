#include "tar_stream.h"

#include "base/error.h"
#include "base/fd.h"
#include "base/text.h"

#include <algorithm>
#include <cstring>

namespace image {

TarStream::TarStream(BlockQueue* blocks) : blocks_(blocks) {
    if (!blocks_) {
        block_.bytes = base::take_buffer(capacity);
        return;
    }
    auto first = blocks_->take_empty();
    if (!first) throw NobodyListens{};
    block_ = std::move(*first);
}

std::size_t TarStream::room() const {
    return block_size - block_.used;
}

void TarStream::write(std::string_view bytes) {
    while (!bytes.empty()) {
        const std::size_t n = std::min(bytes.size(), room());
        std::memcpy(block_.bytes.get() + block_.used, bytes.data(), n);
        block_.used += n;
        bytes.remove_prefix(n);
        if (room() == 0) hand_over(false);
    }
}

void TarStream::write_zeros(std::size_t count) {
    static constexpr char zeros[1024] = {};
    for (std::size_t n; count > 0; count -= n) {
        n = std::min(count, sizeof zeros);
        write({zeros, n});
    }
}

void TarStream::write_file(int fd, std::uint64_t size, std::string_view name) {
    const auto changed = [&] {
        throw base::Error(base::ErrorKind::invalid_input,
                          base::quoted(name) + " changed while it was read",
                          "Something still writes to the build's files.");
    };
    std::uint64_t left = size;
    bool seen_end = false; // a read that asked for more than was left came back short
    while (left > 0) {
        const auto wanted = std::min<std::uint64_t>(left + 1, room() + 1);
        const auto n =
            base::read_some(fd, block_.bytes.get() + block_.used, static_cast<std::size_t>(wanted));
        if (n == 0 || n > left) changed();
        seen_end = n == left && n < wanted;
        const auto taken = std::min<std::size_t>(n, room());
        block_.used += taken;
        left -= taken;
        if (room() > 0) continue;
        const char extra = block_.bytes[block_size];
        hand_over(false);
        if (taken == n) continue;
        block_.bytes[block_.used++] = extra;
        --left;
    }
    char one;
    if (!seen_end && base::read_some(fd, &one, 1) != 0) changed();
}

void TarStream::write_rest(int fd, const base::Stop& stop) {
    while (const auto n = base::read_some(fd, block_.bytes.get() + block_.used, room())) {
        block_.used += n;
        if (room() > 0) continue;
        stop.throw_if_over("writing a layer");
        hand_over(false);
    }
}

// Blocks are always full but for the last, whatever the reads were: the compressed bytes depend on
// where the blocks end.
void TarStream::hand_over(bool last) {
    diff_id_.update({block_.bytes.get(), block_.used});
    size_ += block_.used;
    block_.last = last;
    if (!blocks_) {
        block_.used = 0;
        return;
    }
    blocks_->put_full(std::move(block_));
    if (last) return;
    auto next = blocks_->take_empty();
    if (!next) throw NobodyListens{};
    block_ = std::move(*next);
}

TarFacts TarStream::finish() {
    hand_over(true);
    return {Digest(diff_id_.finish()), size_};
}

} // namespace image
