#include "image/unpack.h"

#include "archive_reader.h"
#include "block_queue.h"
#include "layer_bytes.h"
#include "tree_writer.h"

#include "base/error.h"
#include "base/fd.h"
#include "base/sha256.h"
#include "base/task_group.h"
#include "base/text.h"

#include <unistd.h>

namespace image {
namespace {

constexpr std::string_view whiteout = ".wh.", opaque = ".wh..wh..opq";
constexpr std::string_view aufs_notes = ".wh..wh.";
constexpr std::int64_t largest_id = 65535; // what the sandbox's user namespace maps
// For each of two threads one in its hands, and some between them.
constexpr std::size_t blocks = 4, block_size = 256u << 10;

[[noreturn]] void refuse(std::string_view name, const char* why) {
    throw base::Error(base::ErrorKind::invalid_input,
                      "the layer is refused: " + base::quoted(name) + " " + why);
}

// From `stored` to `tar`.
void decompress(BlockQueue& stored, BlockQueue& tar, const UnpackLimits& limits) {
    BlockReader input(stored);
    const ByteSource source = [&](char* buffer, std::size_t n) { return input.read(buffer, n); };
    LayerBytes layer(source, limits);
    for (bool last = false; !last;) {
        auto block = tar.take_empty();
        if (!block) throw NobodyListens{};
        while (block->used < block_size && !block->last) {
            const auto n = layer.read(block->bytes.get() + block->used, block_size - block->used);
            block->used += n;
            block->last = n == 0;
        }
        last = block->last;
        tar.put_full(std::move(*block));
    }
}

// From `tar` to `hashed`, without a copy.
Digest hash(BlockQueue& tar, BlockQueue& hashed) {
    base::Sha256 diff_id;
    for (bool last = false; !last;) {
        auto block = tar.take_full();
        auto next = block ? hashed.take_empty() : std::nullopt;
        if (!next) throw NobodyListens{};
        diff_id.update({block->bytes.get(), block->used});
        last = block->last;
        std::swap(*block, *next);
        hashed.put_full(std::move(*next));
        tar.put_empty(std::move(*block));
    }
    return Digest(diff_id.finish());
}

EntryAttributes attributes_of(const ArchiveEntry& entry) {
    if (entry.uid < 0 || entry.uid > largest_id || entry.gid < 0 || entry.gid > largest_id)
        refuse(entry.name, "has an owner above 65535");
    return {entry.mode,
            std::pair(static_cast<unsigned>(entry.uid), static_cast<unsigned>(entry.gid)),
            entry.mtime};
}

// No file of an image may have such a name, so what is below one is aufs's own or a trick.
bool is_below_whiteout(std::string_view name) {
    for (std::size_t end; (end = name.find('/')) != name.npos; name.remove_prefix(end + 1)) {
        const auto part = name.substr(0, end);
        if (part.starts_with(aufs_notes)) return true;
        if (part.starts_with(whiteout)) refuse(name, "lies below a name that hides another");
    }
    return false;
}

// image-spec layer.md, "Whiteouts". True when the entry was one, or is none of the image's.
bool take_whiteout(TreeWriter& tree, const ArchiveEntry& entry) {
    const std::string_view name(entry.name);
    if (is_below_whiteout(name)) return true;
    const auto slash = name.rfind('/');
    const bool at_top = slash == name.npos;
    const auto directory = at_top ? std::string_view{} : name.substr(0, slash);
    const auto base = at_top ? name : name.substr(slash + 1);
    if (!base.starts_with(whiteout)) return false;
    if (base == opaque) {
        tree.make_opaque(directory);
        return true;
    }
    if (base.starts_with(aufs_notes)) return true;
    const auto hidden = base.substr(whiteout.size());
    if (hidden.empty() || hidden == "." || hidden == "..") refuse(name, "hides no name");
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

// From `hashed` to `target`. The whole of it is taken: padding behind the archive's end belongs to
// the diff id, too. False: a layer below has to be looked at.
bool write_tree(BlockQueue& hashed, TreeWriter& tree, const UnpackLimits& limits,
                const base::Stop& stop) {
    const Utf8Locale locale;
    BlockReader bytes(hashed);
    try {
        ArchiveReader reader(
            ArchiveKind::layer, [&](char* buffer, std::size_t n) { return bytes.read(buffer, n); },
            -1, limits, stop);
        for (ArchiveEntry entry; reader.next(entry);) {
            unpack_entry(reader, tree, entry);
            reader.count_entries(tree.take_implied());
            reader.count_content(tree.take_copied());
        }
        tree.finish();
    } catch (const NeedsBelow&) {
        return false;
    }
    std::vector<char> rest(64u << 10);
    while (bytes.read(rest.data(), rest.size()) > 0) stop.throw_if_over("unpacking a layer");
    return true;
}

template <class Work>
void run_at(const std::vector<BlockQueue*>& queues, base::TaskGroup& threads, Work work) {
    threads.start([&queues, work = std::move(work)](const base::Stop&) {
        Connection connection(queues);
        try {
            work();
            connection.complete();
        } catch (const NobodyListens&) { // whoever gave up says why
        }
    });
}

std::optional<UnpackedLayer> unpack(const ByteProducer& produce,
                                    const std::filesystem::path& target, const LayersBelow* below,
                                    const UnpackLimits& limits, const base::Stop& stop) {
    BlockQueue stored(blocks, block_size), tar(blocks, block_size), hashed(blocks, block_size);
    // Base images have bin -> usr/bin and entries below bin.
    TreeWriter tree(target, LinkedParents::follow_inside, 0755, below);
    Digest diff_id;
    bool is_complete = false;
    const std::vector<BlockQueue*> queues{&stored, &tar, &hashed};
    base::TaskGroup threads;
    Connection feeding(queues);
    run_at(queues, threads, [&] { decompress(stored, tar, limits); });
    run_at(queues, threads, [&] { diff_id = hash(tar, hashed); });
    run_at(queues, threads, [&] {
        is_complete = write_tree(hashed, tree, limits, stop);
        if (!is_complete) throw NobodyListens{};
    });
    try {
        BlockWriter writer(stored, block_size);
        produce([&](std::string_view bytes) { writer.write(bytes); });
        writer.finish();
        feeding.complete();
    } catch (const NobodyListens&) {
    }
    threads.join();
    if (!is_complete) return std::nullopt;
    return UnpackedLayer{diff_id, tree.stands_alone()};
}

} // namespace

std::optional<UnpackedLayer> unpack_layer(const ByteProducer& produce,
                                          const std::filesystem::path& target,
                                          const std::optional<LayersBelow>& below,
                                          const UnpackLimits& limits, const base::Stop& stop) {
    return base::while_doing("unpacking a layer", [&] {
        return unpack(produce, target, below ? &*below : nullptr, limits, stop);
    });
}

ByteProducer bytes_of_file(int file) {
    return [file](const ByteSink& sink) {
        std::vector<char> buffer(block_size);
        while (const auto n = base::read_some(file, buffer.data(), buffer.size()))
            sink({buffer.data(), n});
    };
}

} // namespace image
