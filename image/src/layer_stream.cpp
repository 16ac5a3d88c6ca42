#include "layer_stream.h"

#include "compressor.h"

#include "base/error.h"
#include "base/text.h"

#include <algorithm>
#include <cstring>
#include <fcntl.h>
#include <unistd.h>

namespace image {
namespace {

// Blocks are always full but for the last, whatever the reads were: the compressed bytes depend on
// where the blocks end.
constexpr std::size_t block_size = 1u << 20;
constexpr std::size_t blocks = 6;

} // namespace

LayerStream::LayerStream(std::filesystem::path path, Compression compression)
    : path_(std::move(path)), compression_(compression),
      file_(base::open_file(path_, O_WRONLY | O_CREAT | O_TRUNC)) {
    auto queue = queue_.lock();
    // One byte over: a read that asks for it notices a file that has grown.
    for (std::size_t i = 0; i < blocks; ++i)
        queue->empty.push_back({std::make_unique_for_overwrite<char[]>(block_size + 1), 0, false});
    block_ = std::move(queue->empty.front());
    queue->empty.pop_front();
    compressor_.start([this](const base::Stop&) { consume(); });
}

LayerStream::~LayerStream() {
    if (finished_) return;
    queue_.lock()->abandoned = true;
    queue_.notify_all();
    ::unlink(path_.c_str());
}

std::size_t LayerStream::room() const {
    return block_size - block_.used;
}

void LayerStream::write(std::string_view bytes) {
    while (!bytes.empty()) {
        const std::size_t n = std::min(bytes.size(), room());
        std::memcpy(block_.bytes.get() + block_.used, bytes.data(), n);
        block_.used += n;
        bytes.remove_prefix(n);
        if (room() == 0) hand_over(false);
    }
}

void LayerStream::write_zeros(std::size_t count) {
    static constexpr char zeros[1024] = {};
    for (std::size_t n; count > 0; count -= n) {
        n = std::min(count, sizeof zeros);
        write({zeros, n});
    }
}

void LayerStream::write_file(int fd, std::uint64_t size, std::string_view name) {
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

void LayerStream::write_rest(int fd, const base::Stop& stop) {
    while (const auto n = base::read_some(fd, block_.bytes.get() + block_.used, room())) {
        block_.used += n;
        if (room() > 0) continue;
        stop.throw_if_over("writing a layer");
        hand_over(false);
    }
}

// diff id, then to the other thread; comes back with an empty block.
void LayerStream::hand_over(bool last) {
    diff_id_.update({block_.bytes.get(), block_.used});
    uncompressed_ += block_.used;
    block_.last = last;
    bool broken;
    {
        auto queue = queue_.lock();
        queue->full.push_back(std::move(block_));
        queue_.notify_all();
        if (!last) queue.wait([](const Queue& q) { return q.broken || !q.empty.empty(); });
        broken = queue->broken;
        if (!last && !broken) {
            block_ = std::move(queue->empty.front());
            queue->empty.pop_front();
        }
    }
    if (broken || last) compressor_.join(); // rethrows what broke it
}

void LayerStream::consume() {
    try {
        const auto compressor = make_compressor(compression_);
        const auto sink = [this](std::string_view bytes) {
            if (compression_ != Compression::none) digest_.update(bytes);
            compressed_ += bytes.size();
            base::while_doing("writing " + path_.string(),
                              [&] { base::write_all(file_.get(), bytes); });
        };
        for (bool last = false; !last;) {
            Block block;
            {
                auto queue = queue_.lock();
                queue.wait([](const Queue& q) { return q.abandoned || !q.full.empty(); });
                if (queue->abandoned) return;
                block = std::move(queue->full.front());
                queue->full.pop_front();
            }
            last = block.last;
            compressor->feed({block.bytes.get(), block.used}, last, sink);
            block.used = 0;
            queue_.lock()->empty.push_back(std::move(block));
            queue_.notify_all();
        }
    } catch (...) {
        queue_.lock()->broken = true;
        queue_.notify_all();
        throw;
    }
}

WrittenLayer LayerStream::finish() {
    hand_over(true);
    if (::close(file_.release()) != 0) base::throw_errno("could not write " + path_.string());
    finished_ = true;
    WrittenLayer written;
    written.layer.diff_id = Digest(diff_id_.finish());
    written.layer.descriptor = {std::string(layer_media_type(compression_)),
                                compression_ == Compression::none ? written.layer.diff_id
                                                                  : Digest(digest_.finish()),
                                compressed_};
    written.path = path_;
    written.uncompressed = uncompressed_;
    return written;
}

} // namespace image
