// SHA-256 of bytes while they are written elsewhere: a thread hashes one piece as the next one
// comes. One thread owns it and fills its pieces in turn.
#pragma once

#include "base/guarded.h"
#include "base/sha256.h"
#include "base/task_group.h"

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>

namespace receiver {

class HashBeside {
  public:
    static constexpr std::size_t piece_size = 256u << 10;

    HashBeside();
    ~HashBeside();

    // A piece that nobody reads any more; waits for one.
    char* next_piece();
    // The first `size` bytes of that piece are part of what is hashed; it stays as it is until
    // next_piece has gone round.
    void add(std::size_t size);
    base::Sha256::Digest finish(); // once

  private:
    static constexpr std::size_t pieces = 4;
    struct Progress {
        std::uint64_t added = 0, hashed = 0; // pieces, since the beginning
        std::array<std::size_t, pieces> sizes{};
        bool closed = false;
    };
    void hash();
    char* piece(std::uint64_t number) {
        return bytes_.get() + static_cast<std::size_t>(number % pieces) * piece_size;
    }

    std::unique_ptr<char[]> bytes_;
    base::Sha256 hash_; // the thread's, until it has ended
    base::Guarded<Progress> progress_;
    base::TaskGroup thread_; // last: it uses the rest
};

} // namespace receiver
