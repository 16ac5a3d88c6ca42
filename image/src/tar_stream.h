// A tar's bytes cut into blocks of 1 MiB and hashed (diff id), for another thread to take, or for
// nobody. Used by one thread.
#pragma once

#include "block_queue.h"

#include "image/layer_writer.h"

namespace image {

class TarStream {
  public:
    // One byte over: a read that asks for it notices a file that has grown.
    static constexpr std::size_t block_size = 1u << 20;
    static constexpr std::size_t capacity = block_size + 1;

    // blocks: of that capacity, borrowed; null: the bytes are hashed only. Throws NobodyListens,
    // as all that follows.
    explicit TarStream(BlockQueue* blocks);

    void write(std::string_view bytes);
    void write_zeros(std::size_t count);
    // Exactly `size` bytes of a file whose end is there, too: throws when it shrinks or grows.
    void write_file(int fd, std::uint64_t size, std::string_view name);
    // All of a file, however long.
    void write_rest(int fd, const base::Stop& stop);

    TarFacts finish(); // once

  private:
    void hand_over(bool last);
    std::size_t room() const;

    BlockQueue* blocks_;
    BlockQueue::Block block_;
    base::Sha256 diff_id_;
    std::uint64_t size_ = 0;
};

} // namespace image
