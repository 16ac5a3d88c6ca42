// Uploaded sources on their way to disk: hashed while they come, never held in memory, durable
// under the name of their digest or not there at all. The same bytes are one file. The server's
// main owns the one Spool of a directory; any thread may call it.
#pragma once

#include "base/stop.h"

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

namespace receiver {

// Names in messages are the configuration's: whoever runs the server can change what was hit.
struct SpoolLimits {
    std::uint64_t bytes = 2ull << 30; // "upload.size"
    std::chrono::seconds time{900};   // "upload.time", of one whole body
    // Asked while a body comes, after every 8 MiB on the disk: what it throws ends the upload. May
    // be empty.
    std::function<void(std::uint64_t so_far)> on_window = {};
};

// A body that came whole.
struct Spooled {
    std::string digest; // "sha256:<64 hex digits>"
    std::uint64_t size = 0;
    bool was_there = false; // the same bytes came before: nothing was stored
};

class Spool {
  public:
    // Makes the directory (mode 0700). A draft has no name, so that nothing of it outlives us.
    explicit Spool(std::filesystem::path directory);

    // Pulls a body: how many bytes were put into `buffer`, 0 at its end.
    using Body = std::function<std::size_t(char* buffer, std::size_t size)>;
    // Called once the bytes are durable under their name, before anybody could remove them: the
    // place to write the row that says so. What it throws undoes what was stored.
    using Record = std::function<void(const Spooled&)>;

    // expected: the digest that the sender announced; empty: whatever comes. announced: the length
    // that he announced, 0 when he did not. Throws Error{limit_exceeded} past a limit,
    // Error{invalid_input} for other bytes than expected or none, Error{timed_out},
    // Error{unavailable} on a full disk, and what `body` and `record` throw; then nothing is left.
    Spooled receive(const Body& body, std::uint64_t announced, std::string_view expected,
                    const SpoolLimits& limits, const Record& record, const base::Stop& stop);

    // Where the bytes of a digest are, whether they are there or not. Throws Error{invalid_input}
    // for what is no digest.
    std::filesystem::path file_of(std::string_view digest) const;
    bool has(std::string_view digest) const;
    std::vector<std::string> list() const; // digests, in no order
    // Asks while no upload can store or record the same bytes; false: still used, it stays.
    bool remove_unless(std::string_view digest, const std::function<bool()>& is_used);

  private:
    class Draft;
    bool store(const Draft& draft, const Spooled& spooled);

    const std::filesystem::path directory_;
    std::mutex storing_; // from a file's name to its row, and from the question to its removal
};

// "sha256:<hex>", "SHA256:<hex>" or the hex digits alone, as clients write it; the first form.
// Throws Error{invalid_input}.
std::string parse_checksum(std::string_view text);

} // namespace receiver
