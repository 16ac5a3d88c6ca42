#include "image_files.h"

#include "base/error.h"
#include "base/fd.h"
#include "base/temp_dir.h"
#include "base/text.h"

#include <algorithm>
#include <fcntl.h>
#include <optional>
#include <unistd.h>

namespace cli {
namespace {

using image::LayerEntry;
using Type = LayerEntry::Type;

image::LayerListing read_layer(image::BlobStore& store, const image::Layer& layer,
                               const base::Stop& stop) {
    const base::TempDir scratch("slipway-layer-");
    const auto path = scratch.path() / "blob";
    const auto file = base::open_file(path, O_RDWR | O_CREAT, 0600);
    store.read_blob(
        layer.descriptor, [&](std::string_view bytes) { base::write_all(file.get(), bytes); },
        stop);
    if (::lseek(file.get(), 0, SEEK_SET) != 0) base::throw_errno("could not read a layer");
    auto listing = image::list_layer(
        [&](char* buffer, std::size_t size) { return base::read_some(file.get(), buffer, size); },
        {}, stop);
    if (listing.diff_id != layer.diff_id)
        throw base::Error(base::ErrorKind::invalid_input,
                          "the layer " + layer.descriptor.digest.render() +
                              " has other content than its image says");
    return listing;
}

const char* word_of(Type type) {
    switch (type) {
    case Type::file:
        return "file";
    case Type::directory:
        return "directory";
    case Type::symlink:
        return "symbolic link";
    case Type::hard_link:
        return "hard link";
    case Type::other:
        break;
    }
    return "special file";
}

std::string octal(unsigned mode) {
    std::string text = "0000";
    for (int i = 3; i >= 0; --i, mode >>= 3) text[static_cast<std::size_t>(i)] += mode & 7;
    return text;
}

std::string owner_of(const LayerEntry& entry) {
    return std::to_string(entry.uid) + ":" + std::to_string(entry.gid);
}

std::string bytes_of(const LayerEntry& entry) {
    return std::to_string(entry.size) + (entry.size == 1 ? " byte" : " bytes");
}

std::string content_of(const LayerEntry& entry) {
    return entry.content ? entry.content->render() : std::string();
}

std::string all_of(const LayerEntry& entry) {
    return std::string(word_of(entry.type)) +
           (entry.type == Type::file ? ", " + bytes_of(entry) : std::string());
}

// What a person would look at first.
std::optional<FileChange> compare(const LayerEntry& before, const LayerEntry& after) {
    const auto told = [&](const char* what, std::string then, std::string now) {
        return FileChange{after.path, what, std::move(then), std::move(now)};
    };
    if (before.type != after.type) return told("type", word_of(before.type), word_of(after.type));
    if (before.mode != after.mode) return told("mode", octal(before.mode), octal(after.mode));
    if (before.uid != after.uid || before.gid != after.gid)
        return told("owner", owner_of(before), owner_of(after));
    if (before.target != after.target) return told("target", before.target, after.target);
    if (before.size != after.size) return told("size", bytes_of(before), bytes_of(after));
    if (before.content != after.content)
        return told("content", content_of(before), content_of(after));
    if (before.mtime != after.mtime)
        return told("time", std::to_string(before.mtime), std::to_string(after.mtime));
    return std::nullopt;
}

// How many leading parts all files of both have in common, the last part of a path aside.
std::string common_directory(const FileMap& before, const FileMap& after) {
    std::optional<std::string> common;
    for (const auto* files : {&before, &after})
        for (const auto& [path, entry] : *files) {
            if (entry.type == Type::directory) continue;
            auto directory = path.substr(0, path.rfind('/') == path.npos ? 0 : path.rfind('/') + 1);
            if (!common) common = directory;
            while (!directory.starts_with(*common)) {
                const auto slash = common->rfind('/', common->size() - 2);
                common->resize(slash == common->npos ? 0 : slash + 1);
            }
        }
    return common.value_or("");
}

std::string top_of(const std::string& path, const std::string& common) {
    const auto slash = path.find('/', common.size());
    return "/" + (slash == path.npos ? common : path.substr(0, slash));
}

} // namespace

FileMap read_files(image::BlobStore& store, const std::vector<image::Layer>& layers,
                   const base::Stop& stop) {
    FileMap files;
    for (const auto& layer : layers) {
        const auto listing = read_layer(store, layer, stop);
        for (const auto& entry : listing.entries) files.insert_or_assign(entry.path, entry);
    }
    return files;
}

std::vector<FileChange> compare_files(const FileMap& before, const FileMap& after) {
    std::vector<FileChange> changes;
    for (const auto& [path, entry] : before) {
        const auto now = after.find(path);
        if (now == after.end())
            changes.push_back({path, "missing", all_of(entry), ""});
        else if (auto change = compare(entry, now->second))
            changes.push_back(std::move(*change));
    }
    for (const auto& [path, entry] : after)
        if (!before.contains(path)) changes.push_back({path, "added", "", all_of(entry)});
    std::sort(changes.begin(), changes.end(),
              [](const FileChange& a, const FileChange& b) { return a.path < b.path; });
    return changes;
}

std::vector<DirectoryChange> compare_directories(const FileMap& before, const FileMap& after) {
    const auto common = common_directory(before, after);
    std::map<std::string, DirectoryChange> all;
    for (const auto& [path, entry] : before) all[top_of(path, common)].before += entry.size;
    for (const auto& [path, entry] : after) all[top_of(path, common)].after += entry.size;
    std::vector<DirectoryChange> changes;
    for (auto& [directory, change] : all) {
        if (change.before == change.after) continue;
        change.directory = directory;
        changes.push_back(change);
    }
    const auto growth = [](const DirectoryChange& change) {
        return std::max(change.before, change.after) - std::min(change.before, change.after);
    };
    std::stable_sort(changes.begin(), changes.end(),
                     [&](const auto& a, const auto& b) { return growth(a) > growth(b); });
    return changes;
}

} // namespace cli
