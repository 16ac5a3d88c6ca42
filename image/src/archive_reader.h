// libarchive's reader behind our policy: which formats, how names must look, how much may come out.
// One thread owns an ArchiveReader. It never touches the file system.
#pragma once

#include "image/unpack.h"

#include <exception>
#include <memory>
#include <string>
#include <string_view>

struct archive;
struct archive_entry;

namespace image {

// A tar may not say more than this; see UnpackLimits.
enum class ArchiveKind { layer, source };

enum class ArchiveEntryType { file, directory, symlink, hard_link, other };

struct ArchiveEntry {
    ArchiveEntryType type = ArchiveEntryType::other;
    std::string name;   // clean and relative; empty for the root
    std::string target; // symlink: as it is; hard link: clean and relative
    unsigned mode = 0;  // 07777 at most
    std::int64_t uid = 0, gid = 0;
    std::uint64_t size = 0;
    std::int64_t mtime = 0;
};

class ArchiveReader {
  public:
    // layer: tar alone, already decompressed. source: tar or zip (streamed, or from `seekable`
    // when that is a descriptor), gzip, zstd or xz around it.
    ArchiveReader(ArchiveKind kind, ByteSource source, int seekable, const UnpackLimits& limits,
                  const base::Stop& stop);
    ~ArchiveReader();

    bool next(ArchiveEntry& entry); // false at the end
    using BlockSink = std::function<void(std::string_view bytes, std::uint64_t offset)>;
    // The content of the entry; counts against the limits. Content that nobody wants is read, too.
    void read_content(const ArchiveEntry& entry, const BlockSink& sink);
    // Directories that names imply are entries, too, although nobody wrote them down.
    void count_entries(std::uint64_t entries);
    void count_content(std::uint64_t bytes); // that is not in the archive, but comes with it

  private:
    static long pull(struct archive*, void* self, const void** buffer);
    void check(int result, const char* doing);
    void check_ratio();
    std::size_t pad();
    void check_padding(std::uint64_t end) const;

    const ArchiveKind kind_;
    const UnpackLimits limits_;
    const base::Stop stop_;
    ByteSource source_;
    std::unique_ptr<char[]> buffer_;
    std::exception_ptr failure_; // of the source, inside libarchive's callback
    std::unique_ptr<struct archive, int (*)(struct archive*)> archive_;
    std::uint64_t pulled_ = 0, bytes_ = 0, entries_ = 0;
    std::uint64_t padding_ = 0; // zeros after the source's end
    bool zip_ = false;
};

// "./a//b/" to "a/b". Throws Error{invalid_input} by name: "..", control characters, a part over
// 255 bytes and for sources a leading slash; Error{limit_exceeded} when it is too deep.
std::string clean_entry_name(std::string_view raw, ArchiveKind kind, const UnpackLimits& limits);

// libarchive reads names through the thread's locale; in "C" a UTF-8 name would be lost.
class Utf8Locale {
  public:
    Utf8Locale();
    ~Utf8Locale();

  private:
    void* made_;
    void* before_;
};

} // namespace image
