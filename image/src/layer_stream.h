// The pipeline behind a layer: the owner's thread fills blocks and hashes them (diff id), a second
// one compresses, hashes the result (digest) and writes the file. Six blocks of 1 MiB in flight.
// One thread owns a LayerStream; the destructor of an unfinished one removes its file.
#pragma once

#include "image/layer_writer.h"

#include "base/fd.h"
#include "base/guarded.h"
#include "base/task_group.h"

#include <deque>
#include <memory>
#include <vector>

namespace image {

class LayerStream {
  public:
    LayerStream(std::filesystem::path path, Compression compression);
    ~LayerStream();

    void write(std::string_view bytes);
    void write_zeros(std::size_t count);
    // Exactly `size` bytes of a file whose end is there, too: throws when it shrinks or grows.
    void write_file(int fd, std::uint64_t size, std::string_view name);
    // All of a file, however long.
    void write_rest(int fd, const base::Stop& stop);

    WrittenLayer finish(); // once

  private:
    struct Block {
        std::unique_ptr<char[]> bytes; // not zeroed: a small layer touches few pages of it
        std::size_t used = 0;
        bool last = false;
    };
    struct Queue {
        std::deque<Block> full, empty;
        bool abandoned = false; // by the owner
        bool broken = false;    // by the other thread
    };

    void hand_over(bool last);
    void consume();
    std::size_t room() const;

    std::filesystem::path path_;
    Compression compression_;
    base::UniqueFd file_;
    Block block_;
    base::Sha256 diff_id_;
    base::Sha256 digest_; // of the other thread until it has ended
    std::uint64_t uncompressed_ = 0;
    std::uint64_t compressed_ = 0;
    bool finished_ = false;
    base::Guarded<Queue> queue_;
    base::TaskGroup compressor_; // last: ends before what it uses
};

} // namespace image
