#include "layer_cache.h"

#include "base/error.h"
#include "base/fd.h"
#include "base/json.h"
#include "base/process.h"
#include "base/temp_dir.h"
#include "base/text.h"

#include <nlohmann/json.hpp>

#include <algorithm>

namespace builder {
namespace {

namespace fs = std::filesystem;
using base::json::Value;

void move_directory(const fs::path& from, const fs::path& to) {
    std::error_code failure;
    fs::create_directories(to.parent_path());
    fs::rename(from, to, failure);
    if (!failure) return;
    if (failure != std::errc::cross_device_link)
        base::throw_errno(failure.value(), "could not move " + from.string());
    // Two mounts of one disk: the kernel moves nothing between them.
    const auto copied =
        base::run({.argv = {"cp", "-a", "--reflink=auto", from.string(), to.string()},
                   .environment = base::minimal_environment()},
                  {});
    if (!copied.status.ok())
        throw base::Error(base::ErrorKind::unavailable,
                          "could not copy " + from.string() + ": " + copied.error);
    base::remove_tree(from);
}

std::string escaped(std::string id) {
    std::replace(id.begin(), id.end(), '/', '_');
    return id;
}

} // namespace

LayerCache::LayerCache(fs::path directory, Say say, std::uint64_t most_bytes)
    : directory_(std::move(directory)), bills_(directory_ / "bills"), say_(std::move(say)),
      most_bytes_(most_bytes) {
    if (directory_.empty()) return;
    fs::create_directories(directory_);
    const auto index = directory_ / "metadata.json";
    if (fs::exists(index)) {
        try {
            read_index();
        } catch (const std::exception&) {
            found_.clear();
            found_facts_.clear();
            say_("The cache of the last build is damaged and was dropped.");
        }
        fs::remove(index);
    }
    if (!found_.empty()) return;
    for (const auto& left : {directory_ / "layers", bills_}) base::remove_tree(left);
    bills_diff_id_.clear();
}

void LayerCache::read_index() {
    const auto text = base::read_file(directory_ / "metadata.json");
    const auto metadata = LifecycleMetadata::parse_text(text);
    const auto value = base::json::parse(text, "the cache's metadata");
    for (const auto& fact : value.value("facts", Value::array())) {
        Facts facts{{base::json::get_string(fact, "fingerprint"),
                     static_cast<std::uint64_t>(base::json::get_integer(fact, "bytes"))},
                    base::json::get_integer(fact, "used")};
        found_facts_[{base::json::get_string(fact, "buildpack"),
                      base::json::get_string(fact, "layer")}] = facts;
    }
    build_ = base::json::find_integer(value, "build").value_or(0) + 1;
    bills_diff_id_ = metadata.bills;
    found_ = metadata.buildpacks;
}

std::string LayerCache::render_index() const {
    LifecycleMetadata metadata;
    metadata.buildpacks = kept_;
    metadata.bills = bills_diff_id_;
    auto value = base::json::parse(metadata.render(), "the cache's metadata");
    value["build"] = build_;
    for (const auto& [key, facts] : kept_facts_)
        value["facts"].push_back({{"buildpack", key.first},
                                  {"layer", key.second},
                                  {"fingerprint", facts.fingerprint.hash},
                                  {"bytes", facts.fingerprint.bytes},
                                  {"used", facts.used}});
    return base::json::render(value);
}

fs::path LayerCache::path_of(const std::string& id, const std::string& layer) const {
    return directory_ / "layers" / escaped(id) / layer;
}

const BuildpackRecord* LayerCache::find(const std::string& id) const {
    const auto it = std::find_if(found_.begin(), found_.end(),
                                 [&](const BuildpackRecord& record) { return record.id == id; });
    return it == found_.end() ? nullptr : &*it;
}

bool LayerCache::take(const std::string& id, const std::string& layer, const fs::path& target) {
    if (directory_.empty()) return false;
    const auto source = path_of(id, layer);
    const auto facts = found_facts_.find({id, layer});
    const bool there = fs::is_directory(fs::symlink_status(source));
    if (facts != found_facts_.end() &&
        (!there || fingerprint_of(source).hash != facts->second.fingerprint.hash)) {
        say_("The cached layer " + base::printable(id + ":" + layer) +
             " is damaged and was dropped.");
        base::remove_tree(source);
        found_facts_.erase(facts);
        return false;
    }
    if (there) move_directory(source, target);
    return there;
}

BuildpackRecord& LayerCache::kept_record(const BuildpackRecord& buildpack) {
    const auto it = std::find_if(kept_.begin(), kept_.end(), [&](const BuildpackRecord& record) {
        return record.id == buildpack.id;
    });
    if (it != kept_.end()) return *it;
    return kept_.emplace_back(BuildpackRecord{buildpack.id, buildpack.version});
}

void LayerCache::put(const BuildpackRecord& buildpack, const std::string& layer,
                     const fs::path& source) {
    if (directory_.empty()) return;
    const auto target = path_of(buildpack.id, layer);
    base::remove_tree(target);
    move_directory(source, target);
    kept_record(buildpack).layers[layer] = buildpack.layers.at(layer);
    kept_facts_[{buildpack.id, layer}] = {fingerprint_of(target), build_};
}

void LayerCache::put_bills(const fs::path& source, std::string diff_id) {
    if (directory_.empty()) return;
    base::remove_tree(bills_);
    for (const char* kind : {"launch", "cache"})
        if (fs::is_directory(source / kind)) move_directory(source / kind, bills_ / kind);
    bills_diff_id_ = std::move(diff_id);
}

bool LayerCache::is_kept(const std::string& id, const std::string& layer) const {
    return kept_facts_.contains({id, layer});
}

// Layers that no buildpack of this build asked for, as they were.
void LayerCache::keep_forgotten() {
    for (const auto& old : found_)
        for (const auto& [name, layer] : old.layers) {
            const auto facts = found_facts_.find({old.id, name});
            if (facts == found_facts_.end() || is_kept(old.id, name) ||
                !fs::is_directory(fs::symlink_status(path_of(old.id, name))))
                continue;
            kept_record(old).layers[name] = layer;
            kept_facts_[facts->first] = facts->second;
        }
}

// What no record names would lie there for ever: layers of buildpacks that the app has left.
void LayerCache::remove_forgotten() const {
    for (const auto& old : found_)
        for (const auto& [name, ignored] : old.layers)
            if (!is_kept(old.id, name)) base::remove_tree(path_of(old.id, name));
}

void LayerCache::drop(const Key& key) {
    base::remove_tree(path_of(key.first, key.second));
    kept_facts_.erase(key);
    for (auto& record : kept_)
        if (record.id == key.first) record.layers.erase(key.second);
}

// Those unused for longest leave first; of this build's own, all used just now, the largest.
void LayerCache::make_room() {
    std::uint64_t total = 0;
    std::vector<std::pair<Key, Facts>> layers(kept_facts_.begin(), kept_facts_.end());
    for (const auto& [key, facts] : layers) total += facts.fingerprint.bytes;
    std::sort(layers.begin(), layers.end(), [](const auto& a, const auto& b) {
        if (a.second.used != b.second.used) return a.second.used < b.second.used;
        return a.second.fingerprint.bytes > b.second.fingerprint.bytes;
    });
    std::string left;
    for (const auto& [key, facts] : layers) {
        if (total <= most_bytes_) break;
        total -= facts.fingerprint.bytes;
        drop(key);
        left += (left.empty() ? "" : ", ") + base::printable(key.first + ":" + key.second);
    }
    if (!left.empty())
        say_("The cache may hold " + base::human_bytes(most_bytes_) +
             "; these layers left it: " + left);
}

void LayerCache::commit() {
    if (directory_.empty()) return;
    if (most_bytes_ > 0) {
        keep_forgotten();
        make_room();
    }
    base::replace_file(directory_ / "metadata.json", render_index());
    remove_forgotten();
}

} // namespace builder
