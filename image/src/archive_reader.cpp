#include "archive_reader.h"

#include "base/error.h"
#include "base/text.h"

#include <algorithm>
#include <archive.h>
#include <archive_entry.h>
#include <locale.h>
#include <sys/stat.h>

namespace image {
namespace {

constexpr std::size_t buffer_size = 256u << 10, tar_block = 512;
constexpr std::size_t longest_part = 255, longest_target = 4095;
constexpr std::uint64_t ratio_from = 64u << 20;

[[noreturn]] void refuse(std::string_view name, const char* why) {
    throw base::Error(base::ErrorKind::invalid_input,
                      "the archive is refused: " + base::quoted(name.substr(0, 300)) + " " + why);
}

[[noreturn]] void too_much(std::string why, std::string_view limit) {
    throw base::Error(base::ErrorKind::limit_exceeded, "the archive is refused: " + std::move(why),
                      limit.empty()
                          ? "The limits are in the server's configuration."
                          : "The server's operator sets the limit: " + std::string(limit) + ".");
}

bool has_control(std::string_view text) {
    return std::any_of(text.begin(), text.end(),
                       [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; });
}

ArchiveEntryType type_of(archive_entry* entry) {
    if (archive_entry_hardlink(entry)) return ArchiveEntryType::hard_link;
    switch (archive_entry_filetype(entry)) {
    case AE_IFREG:
        return ArchiveEntryType::file;
    case AE_IFDIR:
        return ArchiveEntryType::directory;
    case AE_IFLNK:
        return ArchiveEntryType::symlink;
    default:
        return ArchiveEntryType::other;
    }
}

} // namespace

std::string clean_entry_name(std::string_view raw, ArchiveKind kind, const UnpackLimits& limits) {
    if (kind == ArchiveKind::source && raw.starts_with('/')) refuse(raw, "is an absolute name");
    if (has_control(raw)) refuse(raw, "has control characters in its name");
    std::string clean;
    std::uint64_t parts = 0;
    for (std::size_t start = 0; start < raw.size();) {
        const auto end = std::min(raw.find('/', start), raw.size());
        const auto part = raw.substr(start, end - start);
        start = end + 1;
        if (part.empty() || part == ".") continue;
        if (part == "..") refuse(raw, "leads out of the archive");
        if (part.size() > longest_part) refuse(raw, "has a part of more than 255 bytes");
        if (++parts > limits.depth)
            too_much(base::quoted(raw.substr(0, 300)) + " is deeper than " +
                         std::to_string(limits.depth) + " directories",
                     limits.names.depth);
        if (!clean.empty()) clean += '/';
        clean += part;
    }
    return clean;
}

Utf8Locale::Utf8Locale() {
    const locale_t made = ::newlocale(LC_CTYPE_MASK, "C.UTF-8", nullptr);
    made_ = made;
    before_ = made ? ::uselocale(made) : nullptr;
}

Utf8Locale::~Utf8Locale() {
    if (!made_) return;
    ::uselocale(static_cast<locale_t>(before_));
    ::freelocale(static_cast<locale_t>(made_));
}

ArchiveReader::ArchiveReader(ArchiveKind kind, ByteSource source, int seekable,
                             const UnpackLimits& limits, const base::Stop& stop)
    : kind_(kind), limits_(limits), stop_(stop), source_(std::move(source)),
      buffer_(new char[buffer_size]), archive_(archive_read_new(), archive_read_free) {
    struct archive* reader = archive_.get();
    if (!reader) throw std::bad_alloc();
    // No other format or filter: each is a parser that strangers could feed.
    archive_read_support_format_tar(reader);
    if (kind == ArchiveKind::source) {
        archive_read_support_filter_gzip(reader);
        archive_read_support_filter_zstd(reader);
        archive_read_support_filter_xz(reader);
        archive_read_support_filter_bzip2(reader); // classic buildpacks are .tbz, too
    }
    if (seekable >= 0) {
        zip_ = true;
        archive_read_support_format_zip_seekable(reader);
        struct stat status;
        if (::fstat(seekable, &status) == 0) pulled_ = static_cast<std::uint64_t>(status.st_size);
        check(archive_read_open_fd(reader, seekable, buffer_size), "open");
    } else {
        check(archive_read_open(reader, this, nullptr, &ArchiveReader::pull, nullptr), "open");
    }
}

ArchiveReader::~ArchiveReader() = default;

long ArchiveReader::pull(struct archive* reader, void* self, const void** buffer) {
    auto& owner = *static_cast<ArchiveReader*>(self);
    try {
        owner.stop_.throw_if_over("unpacking an archive");
        auto n = owner.source_(owner.buffer_.get(), buffer_size);
        owner.pulled_ += n;
        if (n == 0) n = owner.pad();
        *buffer = owner.buffer_.get();
        return static_cast<long>(n);
    } catch (...) { // no exception may cross libarchive's C
        owner.failure_ = std::current_exception();
        archive_set_error(reader, EIO, "the source failed");
        return ARCHIVE_FATAL;
    }
}

// Some tools leave out what fills the last block of a layer; other runtimes read such images.
std::size_t ArchiveReader::pad() {
    if (kind_ == ArchiveKind::source || padding_ > 0 || pulled_ % tar_block == 0) return 0;
    padding_ = tar_block - pulled_ % tar_block;
    std::fill_n(buffer_.get(), padding_, '\0');
    return padding_;
}

// What we filled in is neither a header nor content.
void ArchiveReader::check_padding(std::uint64_t end) const {
    if (padding_ > 0 && end > pulled_)
        throw base::Error(base::ErrorKind::invalid_input,
                          "could not read the archive: it is cut short");
}

void ArchiveReader::check(int result, const char* doing) {
    if (failure_) std::rethrow_exception(std::exchange(failure_, nullptr));
    // A warning is about attributes that we do not restore anyway.
    if (result == ARCHIVE_OK || result == ARCHIVE_WARN) return;
    const char* why = archive_error_string(archive_.get());
    throw base::Error(
        base::ErrorKind::invalid_input,
        std::string("could not ") + doing +
            " the archive: " + base::printable(why ? why : "it is damaged"),
        kind_ == ArchiveKind::source ? "Archives are tar, tar.gz, tar.zst, tar.xz or zip." : "");
}

void ArchiveReader::count_content(std::uint64_t bytes) {
    bytes_ += bytes;
    if (bytes_ > limits_.bytes)
        too_much("its content is larger than " + base::human_bytes(limits_.bytes),
                 limits_.names.bytes);
    check_ratio();
}

void ArchiveReader::count_entries(std::uint64_t entries) {
    entries_ += entries;
    if (entries_ > limits_.entries)
        too_much("it has more than " + std::to_string(limits_.entries) + " entries",
                 limits_.names.entries);
}

// Of the filters' output, so that headers and skipped content count. A layer comes in decompressed;
// its caller checks the ratio.
void ArchiveReader::check_ratio() {
    if (kind_ == ArchiveKind::layer || pulled_ == 0) return;
    const auto out =
        std::max<std::uint64_t>(bytes_, static_cast<std::uint64_t>(std::max<la_int64_t>(
                                            0, archive_filter_bytes(archive_.get(), 0))));
    if (out > ratio_from && out / limits_.ratio > pulled_)
        too_much("it grows more than " + std::to_string(limits_.ratio) + " times",
                 limits_.names.ratio);
}

bool ArchiveReader::next(ArchiveEntry& entry) {
    stop_.throw_if_over("unpacking an archive");
    archive_entry* raw = nullptr;
    const int result = archive_read_next_header(archive_.get(), &raw);
    if (result == ARCHIVE_EOF && !failure_) return false;
    check(result, "read");
    check_padding(static_cast<std::uint64_t>(archive_read_header_position(archive_.get())) +
                  tar_block);
    check_ratio();
    count_entries(1);

    const char* name = archive_entry_pathname(raw);
    if (!name) refuse("?", "has a name that is not UTF-8");
    // Its two directories differ: another reader would see another file.
    if (result == ARCHIVE_WARN && zip_) refuse(name, "contradicts the zip's directory");
    entry = {};
    entry.name = clean_entry_name(name, kind_, limits_);
    entry.type = type_of(raw);
    entry.mode = archive_entry_perm(raw) & 07777;
    entry.uid = archive_entry_uid(raw);
    entry.gid = archive_entry_gid(raw);
    entry.mtime = archive_entry_mtime_is_set(raw) ? archive_entry_mtime(raw) : 0;
    if (archive_entry_size_is_set(raw))
        entry.size = static_cast<std::uint64_t>(std::max<la_int64_t>(0, archive_entry_size(raw)));
    if (entry.size > limits_.bytes - std::min(bytes_, limits_.bytes))
        too_much("its content is larger than " + base::human_bytes(limits_.bytes),
                 limits_.names.bytes);
    if (entry.type == ArchiveEntryType::hard_link) {
        const char* target = archive_entry_hardlink(raw);
        entry.target = clean_entry_name(target ? target : "", kind_, limits_);
    } else if (entry.type == ArchiveEntryType::symlink) {
        const char* target = archive_entry_symlink(raw);
        entry.target = target ? target : "";
        if (entry.target.empty() || entry.target.size() > longest_target ||
            has_control(entry.target))
            refuse(entry.name, "is a link to nothing or to a name with control characters");
    }
    return true;
}

void ArchiveReader::read_content(const ArchiveEntry& entry, const BlockSink& sink) {
    std::uint64_t end = 0;
    while (true) {
        const void* bytes = nullptr;
        std::size_t size = 0;
        la_int64_t offset = 0;
        const int result = archive_read_data_block(archive_.get(), &bytes, &size, &offset);
        if (result == ARCHIVE_EOF && !failure_) break;
        // Here it means sizes that contradict each other.
        if (result == ARCHIVE_WARN) refuse(entry.name, "has other content than it says");
        check(result, "read");
        stop_.throw_if_over("unpacking an archive");
        const auto at = static_cast<std::uint64_t>(offset);
        if (offset < 0 || at < end) refuse(entry.name, "has overlapping content");
        count_content(at + size - end); // holes count
        end = at + size;
        if (sink && size > 0) sink({static_cast<const char*>(bytes), size}, at);
    }
    const auto filling = (tar_block - entry.size % tar_block) % tar_block;
    check_padding(static_cast<std::uint64_t>(archive_filter_bytes(archive_.get(), 0)) - filling);
    if (entry.type == ArchiveEntryType::file && entry.size > end) count_content(entry.size - end);
}

} // namespace image
