#include "receiver/spool.h"

#include "hash_beside.h"

#include "base/error.h"
#include "base/failpoint.h"
#include "base/fd.h"
#include "base/sha256.h"
#include "base/text.h"

#include <algorithm>
#include <cctype>
#include <cerrno>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

namespace receiver {
namespace {

namespace fs = std::filesystem;
using base::Error;
using base::ErrorKind;

constexpr std::string_view prefix = "sha256:";
constexpr std::uint64_t window = 8u << 20;

void sync_directory(const fs::path& directory) {
    const auto fd = base::open_file(directory, O_RDONLY | O_DIRECTORY);
    if (::fsync(fd.get()) != 0) base::throw_errno("could not keep an upload");
}

[[noreturn]] void refuse_size(std::uint64_t limit) {
    throw Error(ErrorKind::limit_exceeded, "the upload is larger than " + base::human_bytes(limit),
                "Leave out what the build can download or make. The server's operator sets the "
                "limit: upload.size.");
}

} // namespace

std::string parse_checksum(std::string_view text) {
    auto hex = text;
    if (hex.size() > prefix.size() &&
        std::equal(prefix.begin(), prefix.end(), hex.begin(),
                   [](char a, char b) { return a == std::tolower(static_cast<unsigned char>(b)); }))
        hex.remove_prefix(prefix.size());
    std::string checksum(prefix);
    for (const char c : hex)
        checksum += static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
    if (hex.size() != 64 ||
        checksum.find_first_not_of("0123456789abcdef", prefix.size()) != std::string::npos)
        throw Error(ErrorKind::invalid_input,
                    base::quoted(text.substr(0, 100)) + " is not a checksum",
                    "Write sha256: and the 64 digits that sha256sum prints.");
    return checksum;
}

// A file without a name: the kernel removes it with us, however we end.
class Spool::Draft {
  public:
    explicit Draft(const fs::path& directory)
        : file_(base::open_file(directory, O_WRONLY | O_TMPFILE, 0600)) {}

    // True: another window is full.
    bool append(std::string_view bytes) {
        base::write_all(file_.get(), bytes);
        size_ += bytes.size();
        // The disk works while the network does, and the last fsync finds little left to wait for.
        if (size_ - flushed_ < window) return false;
        ::sync_file_range(file_.get(), static_cast<off_t>(flushed_),
                          static_cast<off_t>(size_ - flushed_), SYNC_FILE_RANGE_WRITE);
        flushed_ = size_;
        return true;
    }

    std::uint64_t size() const { return size_; }

    // Before it has a name: a name is a promise that outlives a power cut.
    void sync() const {
        if (::fsync(file_.get()) != 0) base::throw_errno("could not keep an upload");
    }
    // False: there is a file of that name.
    bool give_name(const fs::path& name) const {
        const auto self = "/proc/self/fd/" + std::to_string(file_.get());
        if (::linkat(AT_FDCWD, self.c_str(), AT_FDCWD, name.c_str(), AT_SYMLINK_FOLLOW) == 0)
            return true;
        if (errno != EEXIST) base::throw_errno("could not keep an upload");
        return false;
    }

  private:
    base::UniqueFd file_;
    std::uint64_t size_ = 0, flushed_ = 0;
};

Spool::Spool(fs::path directory) : directory_(std::move(directory)) {
    fs::create_directories(directory_);
    if (::chmod(directory_.c_str(), 0700) != 0)
        base::throw_errno("could not change the mode of " + directory_.string());
}

fs::path Spool::file_of(std::string_view digest) const {
    return directory_ / ("sha256-" + parse_checksum(digest).substr(prefix.size()));
}

bool Spool::has(std::string_view digest) const {
    return fs::exists(file_of(digest));
}

// True when the bytes were there. A file of another length was damaged by what is outside of us.
bool Spool::store(const Draft& draft, const Spooled& spooled) {
    const auto name = file_of(spooled.digest);
    struct stat status {};
    const bool there = ::stat(name.c_str(), &status) == 0;
    if (there && static_cast<std::uint64_t>(status.st_size) == spooled.size) return true;
    draft.sync();
    base::failpoint("upload_spooled");
    if (there) fs::remove(name);
    draft.give_name(name);
    sync_directory(directory_);
    return false;
}

Spooled Spool::receive(const Body& body, std::uint64_t announced, std::string_view expected,
                       const SpoolLimits& limits, const Record& record, const base::Stop& stop) {
    if (announced > limits.bytes) refuse_size(limits.bytes);
    const auto ends = std::chrono::steady_clock::now() + limits.time;
    Draft draft(directory_);
    HashBeside hash;
    const auto take = [&](char* buffer, std::size_t size) {
        const auto n = body(buffer, size);
        if (std::chrono::steady_clock::now() > ends)
            throw Error(ErrorKind::timed_out,
                        "the upload took longer than " +
                            base::human_duration(std::chrono::milliseconds(limits.time).count()),
                        "Send it again over a faster connection. The server's operator sets the "
                        "limit: upload.time.");
        stop.throw_if_over("receiving an upload");
        return n;
    };
    for (bool more = true; more;) {
        char* const piece = hash.next_piece();
        std::size_t filled = 0;
        for (; more && filled < HashBeside::piece_size;) {
            const auto n = take(piece + filled, HashBeside::piece_size - filled);
            more = n > 0;
            filled += n;
        }
        if (draft.size() + filled > limits.bytes) refuse_size(limits.bytes);
        hash.add(filled);
        if (draft.append({piece, filled}) && limits.on_window) limits.on_window(draft.size());
    }
    if (draft.size() == 0)
        throw Error(ErrorKind::invalid_input, "the upload is empty",
                    "Send an archive: tar, tar.gz, tar.zst, tar.xz or zip.");
    Spooled spooled{std::string(prefix) + base::to_hex(hash.finish()), draft.size()};
    if (!expected.empty() && spooled.digest != parse_checksum(expected))
        throw Error(ErrorKind::invalid_input,
                    "the upload's checksum is " + spooled.digest + ", not " +
                        base::printable(expected),
                    "It was damaged on its way, or is another file: send it again.");
    const std::lock_guard lock(storing_);
    spooled.was_there = store(draft, spooled);
    base::failpoint("upload_stored");
    try {
        if (record) record(spooled);
    } catch (...) {
        if (!spooled.was_there) fs::remove(file_of(spooled.digest));
        throw;
    }
    return spooled;
}

std::vector<std::string> Spool::list() const {
    constexpr std::string_view start = "sha256-";
    std::vector<std::string> digests;
    for (const auto& entry : fs::directory_iterator(directory_))
        if (const auto name = entry.path().filename().string(); name.starts_with(start))
            digests.push_back(std::string(prefix) + name.substr(start.size()));
    return digests;
}

bool Spool::remove_unless(std::string_view digest, const std::function<bool()>& is_used) {
    const std::lock_guard lock(storing_);
    if (is_used()) return false;
    fs::remove(file_of(digest));
    return true;
}

} // namespace receiver
