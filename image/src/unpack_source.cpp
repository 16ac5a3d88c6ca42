#include "image/unpack.h"

#include "archive_reader.h"
#include "tree_writer.h"

#include "base/error.h"
#include "base/temp_dir.h"
#include "base/text.h"

#include <cstring>
#include <fcntl.h>
#include <unistd.h>
#include <vector>

namespace image {
namespace {

namespace fs = std::filesystem;

[[noreturn]] void refuse(const ArchiveEntry& entry, const char* why) {
    throw base::Error(base::ErrorKind::invalid_input,
                      "the archive is refused: " + base::quoted(entry.name) + " " + why);
}

bool is_git(std::string_view name) {
    return name == ".git" || name.starts_with(".git/");
}

void write_at(int file, std::string_view bytes, std::uint64_t offset, std::string_view name) {
    while (!bytes.empty()) {
        const auto n = ::pwrite(file, bytes.data(), bytes.size(), static_cast<off_t>(offset));
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) base::throw_errno("could not unpack " + base::quoted(name));
        bytes.remove_prefix(static_cast<std::size_t>(n));
        offset += static_cast<std::uint64_t>(n);
    }
}

void unpack_entry(ArchiveReader& reader, TreeWriter& tree, const ArchiveEntry& entry) {
    if (is_git(entry.name)) return reader.read_content(entry, {});
    if (entry.name.empty()) {
        if (entry.type != ArchiveEntryType::directory) refuse(entry, "has no name");
        return;
    }
    switch (entry.type) {
    case ArchiveEntryType::directory:
        return tree.make_directory(entry.name, {.mode = 0755});
    case ArchiveEntryType::symlink:
        return tree.make_symlink(entry.name, entry.target, {});
    case ArchiveEntryType::hard_link:
        if (is_git(entry.target)) refuse(entry, "is a hard link into .git, which is left out");
        return tree.make_hard_link(entry.name, entry.target);
    case ArchiveEntryType::other:
        refuse(entry, "is neither a file, a directory nor a link");
    case ArchiveEntryType::file:
        break;
    }
    auto file = tree.open_file(entry.name);
    reader.read_content(entry, [&](std::string_view bytes, std::uint64_t offset) {
        write_at(file.get(), bytes, offset, entry.name);
    });
    tree.close_file(std::move(file), entry.size, {.mode = entry.mode & 0111 ? 0755u : 0644u});
}

// The one directory at the top, if that is all there is.
std::optional<fs::path> single_root(const fs::path& target) {
    std::optional<fs::path> only;
    for (const auto& entry : fs::directory_iterator(target)) {
        if (only || !entry.is_directory() || entry.is_symlink()) return std::nullopt;
        only = entry.path();
    }
    return only;
}

void strip_root(const fs::path& target) {
    const auto root = single_root(target);
    if (!root) return;
    // Renamed first: the root may hold something of its own name.
    const auto aside = target / (".root-" + base::random_hex(8));
    fs::rename(*root, aside);
    const std::vector<fs::path> entries{fs::directory_iterator(aside), {}};
    for (const auto& entry : entries) fs::rename(entry, target / entry.filename());
    fs::remove(aside);
    base::remove_tree(target / ".git");
}

// A zip's modes and links stand at its end, so it is kept in a nameless file first.
base::UniqueFd spool(const ByteSource& source, std::string_view head, const fs::path& target,
                     const UnpackLimits& limits, const base::Stop& stop) {
    base::UniqueFd file = base::open_file(target, O_RDWR | O_TMPFILE, 0600);
    base::write_all(file.get(), head);
    std::vector<char> buffer(256u << 10);
    std::uint64_t size = head.size();
    while (const auto n = source(buffer.data(), buffer.size())) {
        stop.throw_if_over("unpacking an archive");
        size += n;
        if (size > limits.bytes)
            throw base::Error(base::ErrorKind::limit_exceeded,
                              "the archive is larger than " + base::human_bytes(limits.bytes),
                              limits.names.bytes.empty()
                                  ? ""
                                  : "The server's operator sets the limit: " +
                                        std::string(limits.names.bytes) + ".");
        base::write_all(file.get(), {buffer.data(), n});
    }
    if (::lseek(file.get(), 0, SEEK_SET) != 0) base::throw_errno("could not read the archive");
    return file;
}

void unpack(ArchiveReader& reader, const fs::path& target) {
    static const LayersBelow nothing;
    TreeWriter tree(target, LinkedParents::refuse, 0755, &nothing);
    for (ArchiveEntry entry; reader.next(entry);) {
        unpack_entry(reader, tree, entry);
        reader.count_entries(tree.take_implied());
    }
    tree.finish();
}

} // namespace

void unpack_source(const ByteSource& source, const fs::path& target, const UnpackLimits& limits,
                   RootDirectory root, const base::Stop& stop) {
    base::while_doing("unpacking the uploaded archive", [&] {
        const Utf8Locale locale;
        char head[4];
        std::size_t known = 0;
        while (known < sizeof head) {
            const auto n = source(head + known, sizeof head - known);
            if (n == 0) break;
            known += n;
        }
        const std::string_view magic(head, known);
        if (magic == "PK\3\4" || magic == "PK\5\6") {
            const auto file = spool(source, magic, target, limits, stop);
            ArchiveReader reader(ArchiveKind::source, {}, file.get(), limits, stop);
            unpack(reader, target);
        } else {
            std::size_t given = 0;
            const ByteSource whole = [&](char* buffer, std::size_t size) {
                if (given == known) return source(buffer, size);
                const auto n = std::min(size, known - given);
                std::memcpy(buffer, head + given, n);
                given += n;
                return n;
            };
            ArchiveReader reader(ArchiveKind::source, whole, -1, limits, stop);
            unpack(reader, target);
        }
        if (root == RootDirectory::strip_single) strip_root(target);
    });
}

} // namespace image
