#include "registry_garbage.h"

#include "retention_parts.h"

#include "base/error.h"
#include "base/json.h"

#include <nlohmann/json.hpp>

#include <algorithm>

namespace server {
namespace {

using base::json::Value;
using image::Digest;

std::optional<Digest> parse_digest(const std::string& text) {
    try {
        return Digest::parse(text);
    } catch (const base::Error&) {
        return std::nullopt;
    }
}

// A manifest's own descriptors: configuration, layers; of an index its manifests.
struct Parts {
    std::vector<Digest> blobs;
    std::vector<Digest> manifests;
};

void add_digest(const Value& descriptor, std::vector<Digest>& to) {
    if (!descriptor.is_object()) return;
    const auto text = base::json::find_string(descriptor, "digest");
    if (const auto digest = text ? parse_digest(*text) : std::nullopt) to.push_back(*digest);
}

Parts parts_of(const RegistryFiles& files, const Digest& manifest) {
    Parts parts;
    const auto text = files.read(manifest);
    if (!text) return parts;
    const auto value = base::json::parse(*text, "the manifest " + manifest.render());
    const auto each = [&](const char* name, std::vector<Digest>& to) {
        const auto it = value.find(name);
        if (it != value.end() && it->is_array())
            for (const auto& descriptor : *it) add_digest(descriptor, to);
    };
    if (const auto it = value.find("config"); it != value.end()) add_digest(*it, parts.blobs);
    each("layers", parts.blobs);
    each("blobs", parts.blobs);
    each("manifests", parts.manifests);
    return parts;
}

// "sha256-<hex>" and "sha256-<hex>.sig": what belongs to that image, and goes with it.
std::optional<Digest> subject_of_tag(const std::string& tag) {
    constexpr std::size_t length = 7 + 64;
    if (!tag.starts_with("sha256-") || tag.size() < length) return std::nullopt;
    if (tag.size() > length && tag[length] != '.') return std::nullopt;
    return parse_digest("sha256:" + tag.substr(7, 64));
}

// What stays of one repository.
class Kept {
  public:
    Kept(const RegistryFiles& files, std::string repository)
        : files_(files), tags_(files.tags(repository)) {}

    // Indexes in indexes may be as deep as somebody pushed them.
    void keep(const Digest& digest) {
        for (std::vector<Digest> todo{digest}; !todo.empty();) {
            const auto next = todo.back();
            todo.pop_back();
            if (!kept_.insert(next).second) continue;
            for (const auto& part : parts_of(files_, next).manifests) todo.push_back(part);
        }
    }
    // Tags of images, then those beside images that stay, which may bring more of these.
    void keep_tagged() {
        for (const auto& [tag, digest] : tags_)
            if (!subject_of_tag(tag)) keep(digest);
        for (std::size_t before = 0; before != kept_.size();) {
            before = kept_.size();
            for (const auto& [tag, digest] : tags_)
                if (const auto subject = subject_of_tag(tag); subject && has(*subject))
                    keep(digest);
        }
    }
    bool has(const Digest& digest) const { return kept_.contains(digest); }
    std::vector<std::string> tags_that_leave() const {
        std::vector<std::string> leaving;
        for (const auto& [tag, digest] : tags_)
            if (!has(digest)) leaving.push_back(tag);
        return leaving;
    }

  private:
    const RegistryFiles& files_;
    const std::map<std::string, Digest> tags_;
    std::set<Digest> kept_;
};

// The manifests of one repository that stay; the others are added to what leaves.
std::vector<Digest> divide(const RegistryFiles& files, const std::string& repository,
                           const NamedImages& named, std::filesystem::file_time_type younger,
                           RegistryGarbage& garbage) {
    const auto manifests = files.manifests(repository);
    std::vector<Digest> stay;
    const auto names = named.find(repository);
    Kept kept(files, repository);
    if (names != named.end()) {
        for (const auto& digest : names->second) kept.keep(digest);
        for (const auto& manifest : manifests)
            if (manifest.written > younger) kept.keep(manifest.digest);
        kept.keep_tagged();
    }
    for (const auto& [digest, written] : manifests)
        if (names == named.end() || kept.has(digest))
            stay.push_back(digest);
        else
            garbage.manifests.push_back({repository, digest});
    if (names != named.end())
        for (auto& tag : kept.tags_that_leave())
            garbage.tags.push_back({repository, std::move(tag)});
    return stay;
}

void remove(const RegistryFiles& files, const RegistryGarbage& garbage) {
    for (const auto& tag : garbage.tags) files.remove_tag(tag.repository, tag.name);
    for (const auto& manifest : garbage.manifests)
        files.remove_manifest(manifest.repository, manifest.digest);
}

std::vector<PruneItem> items_of(const RegistryGarbage& garbage) {
    std::vector<PruneItem> items;
    for (const auto& manifest : garbage.manifests)
        items.push_back({"image", manifest.repository + "@" + manifest.digest.render(), 0,
                         "no tag and no build that is kept names it"});
    if (garbage.blobs > 0)
        items.push_back({"blob", std::to_string(garbage.blobs), garbage.bytes,
                         "part of no image that stays", garbage.blobs});
    return items;
}

} // namespace

NamedImages images_of_apps(apps::Store& store) {
    NamedImages named;
    for (const auto& app : store.list_apps()) {
        auto& images = named[app.path()];
        const auto published = store.builds().list(
            {.app = app.name, .state = apps::BuildState::published, .limit = 1'000'000});
        for (const auto& build : published)
            if (const auto digest = parse_digest(build.digest)) images.insert(*digest);
    }
    return named;
}

RegistryGarbage find_garbage(const RegistryFiles& files, const NamedImages& named,
                             std::filesystem::file_time_type younger) {
    RegistryGarbage garbage;
    std::set<Digest> needed;
    for (const auto& repository : files.repositories())
        for (const auto& manifest : divide(files, repository, named, younger, garbage)) {
            needed.insert(manifest);
            for (const auto& blob : parts_of(files, manifest).blobs) needed.insert(blob);
        }
    for (const auto& [digest, bytes] : files.blobs())
        if (!needed.contains(digest)) {
            ++garbage.blobs;
            garbage.bytes += bytes;
        }
    return garbage;
}

namespace {

// Every build of an unchanged app replaces the log of the one before: for a few kilobytes builds do
// not wait, and the registry is not started anew.
constexpr std::uint64_t least_worth = 1u << 20;

// Of an image that waits to be sent (apps::Builds::park) layers may lie in the registry that no
// manifest names yet.
bool an_image_waits(apps::Store& store) {
    return store.builds().count({.state = apps::BuildState::exporting}) > 0;
}

PruneItem skipped(const char* why) {
    return {"image", "-", 0, std::string("skipped: ") + why + "; this is tried again in an hour",
            0};
}

} // namespace

std::vector<PruneItem> prune_registry(const RegistryPrune& settings, DryRun dry_run) {
    const auto look = [&] {
        auto garbage = find_garbage(settings.files, images_of_apps(settings.store),
                                    std::filesystem::file_time_type::clock::now() - settings.age);
        if (garbage.manifests.empty() && garbage.bytes < least_worth) garbage = {};
        return garbage;
    };
    auto garbage = look();
    if (dry_run == DryRun::yes || garbage.manifests.size() + garbage.blobs == 0)
        return items_of(garbage);
    // What was nobody's a moment ago may be named by now: it is looked at again when nobody can.
    bool waits = false;
    const bool ran = settings.alone([&] {
        waits = an_image_waits(settings.store);
        if (waits) return;
        garbage = look();
        remove(settings.files, garbage);
        settings.sweep();
    });
    if (waits) return {skipped("an image waits to be sent")};
    if (!ran) return {skipped("builds run")};
    return items_of(garbage);
}

} // namespace server
