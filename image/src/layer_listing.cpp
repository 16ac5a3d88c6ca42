#include "image/layer_listing.h"

#include "archive_reader.h"
#include "layer_bytes.h"

#include "base/error.h"
#include "base/text.h"

namespace image {
namespace {

using Type = LayerEntry::Type;

// Of all entries together: a blob of some megabytes may hold names of gigabytes.
constexpr std::uint64_t most_name_bytes = 256u << 20;

Type type_of(ArchiveEntryType type) {
    switch (type) {
    case ArchiveEntryType::file:
        return Type::file;
    case ArchiveEntryType::directory:
        return Type::directory;
    case ArchiveEntryType::symlink:
        return Type::symlink;
    case ArchiveEntryType::hard_link:
        return Type::hard_link;
    case ArchiveEntryType::other:
        break;
    }
    return Type::other;
}

// A file with holes: what the tar leaves out are zeros.
Digest hash_content(ArchiveReader& reader, const ArchiveEntry& entry) {
    static const std::string zeros(64u << 10, '\0');
    base::Sha256 hash;
    std::uint64_t end = 0;
    const auto fill_to = [&](std::uint64_t offset) {
        for (; end < offset; end += std::min<std::uint64_t>(zeros.size(), offset - end))
            hash.update({zeros.data(), std::min<std::uint64_t>(zeros.size(), offset - end)});
    };
    reader.read_content(entry, [&](std::string_view bytes, std::uint64_t offset) {
        fill_to(offset);
        hash.update(bytes);
        end = offset + bytes.size();
    });
    fill_to(entry.size);
    return Digest(hash.finish());
}

} // namespace

LayerListing list_layer(const ByteSource& source, const UnpackLimits& limits,
                        const base::Stop& stop) {
    return base::while_doing("reading a layer", [&] {
        const Utf8Locale locale;
        LayerBytes layer(source, limits);
        base::Sha256 hash;
        const auto read = [&](char* buffer, std::size_t size) {
            const auto n = layer.read(buffer, size);
            hash.update({buffer, n});
            return n;
        };
        std::vector<LayerEntry> entries;
        {
            ArchiveReader reader(ArchiveKind::layer, read, -1, limits, stop);
            std::uint64_t name_bytes = 0;
            for (ArchiveEntry entry; reader.next(entry);) {
                name_bytes += entry.name.size() + entry.target.size();
                if (name_bytes > most_name_bytes)
                    throw base::Error(base::ErrorKind::limit_exceeded,
                                      "the names in the layer are longer than " +
                                          base::human_bytes(most_name_bytes) + " together");
                entries.push_back({type_of(entry.type), entry.name, entry.target, entry.mode,
                                   entry.uid, entry.gid, entry.mtime, entry.size});
                if (entry.type == ArchiveEntryType::file)
                    entries.back().content = hash_content(reader, entry);
            }
        }
        // Padding behind the archive's end belongs to the diff id, too.
        std::vector<char> rest(64u << 10);
        while (read(rest.data(), rest.size()) > 0) stop.throw_if_over("reading a layer");
        return LayerListing{std::move(entries), Digest(hash.finish())};
    });
}

} // namespace image
