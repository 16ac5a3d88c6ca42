#include "image/unpack.h"

#include "archive_reader.h"
#include "layer_bytes.h"
#include "tree_writer.h"

#include "base/error.h"
#include "base/text.h"

#include <unistd.h>

namespace image {
namespace {

constexpr std::string_view whiteout = ".wh.", opaque = ".wh..wh..opq";
constexpr std::int64_t largest_id = 65535; // what the sandbox's user namespace maps

EntryAttributes attributes_of(const ArchiveEntry& entry) {
    if (entry.uid < 0 || entry.uid > largest_id || entry.gid < 0 || entry.gid > largest_id)
        throw base::Error(base::ErrorKind::invalid_input,
                          "the layer is refused: " + base::quoted(entry.name) +
                              " has an owner above 65535");
    return {entry.mode,
            std::pair(static_cast<unsigned>(entry.uid), static_cast<unsigned>(entry.gid)),
            entry.mtime};
}

// image-spec layer.md, "Whiteouts". True when the entry was one.
bool take_whiteout(TreeWriter& tree, const ArchiveEntry& entry) {
    const auto slash = entry.name.rfind('/');
    const bool at_top = slash == entry.name.npos;
    const std::string_view name(entry.name);
    const auto directory = at_top ? std::string_view{} : name.substr(0, slash);
    const auto base = at_top ? name : name.substr(slash + 1);
    if (!base.starts_with(whiteout)) return false;
    if (base == opaque) {
        tree.make_opaque(directory);
        return true;
    }
    const auto hidden = base.substr(whiteout.size());
    if (hidden.starts_with(whiteout)) return true; // aufs's own notes
    if (hidden.empty() || hidden == "." || hidden == "..")
        throw base::Error(base::ErrorKind::invalid_input,
                          "the layer is refused: " + base::quoted(name) + " hides no name");
    tree.make_whiteout(std::string(directory) + (at_top ? "" : "/") + std::string(hidden));
    return true;
}

void unpack_entry(ArchiveReader& reader, TreeWriter& tree, const ArchiveEntry& entry) {
    if (take_whiteout(tree, entry)) return;
    if (entry.name.empty() && entry.type != ArchiveEntryType::directory) return;
    switch (entry.type) {
    case ArchiveEntryType::directory:
        return tree.make_directory(entry.name, attributes_of(entry));
    case ArchiveEntryType::symlink:
        return tree.make_symlink(entry.name, entry.target, attributes_of(entry));
    case ArchiveEntryType::hard_link:
        return tree.make_hard_link(entry.name, entry.target);
    case ArchiveEntryType::other:
        return; // devices: the sandbox brings its own
    case ArchiveEntryType::file:
        break;
    }
    const auto attributes = attributes_of(entry);
    auto file = tree.open_file(entry.name);
    reader.read_content(entry, [&](std::string_view bytes, std::uint64_t offset) {
        while (!bytes.empty()) {
            const auto n =
                ::pwrite(file.get(), bytes.data(), bytes.size(), static_cast<off_t>(offset));
            if (n < 0 && errno == EINTR) continue;
            if (n < 0) base::throw_errno("could not unpack " + base::quoted(entry.name));
            bytes.remove_prefix(static_cast<std::size_t>(n));
            offset += static_cast<std::uint64_t>(n);
        }
    });
    tree.close_file(std::move(file), entry.size, attributes);
}

} // namespace

Digest unpack_layer(const ByteSource& source, const std::filesystem::path& target,
                    const UnpackLimits& limits, const base::Stop& stop) {
    return base::while_doing("unpacking a layer", [&] {
        const Utf8Locale locale;
        LayerBytes bytes(source, limits);
        // Base images have bin -> usr/bin and entries below bin.
        TreeWriter tree(target, LinkedParents::follow_inside, 0755);
        {
            ArchiveReader reader(
                ArchiveKind::layer,
                [&](char* buffer, std::size_t n) { return bytes.read(buffer, n); }, -1, limits,
                stop);
            for (ArchiveEntry entry; reader.next(entry);) {
                unpack_entry(reader, tree, entry);
                reader.count_entries(tree.take_implied());
            }
        }
        tree.finish();
        return bytes.finish(stop);
    });
}

} // namespace image
