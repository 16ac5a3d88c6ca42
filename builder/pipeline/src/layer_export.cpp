#include "layer_export.h"

#include "base/buffer.h"
#include "base/parallel.h"
#include "builder/target.h"

#include <algorithm>
#include <atomic>
#include <map>

namespace builder {
namespace {

// Each has a thread that reads and hashes, one that compresses and one that sends, and 16 MB in
// their hands: so many keep four cores busy and the worker below 64 MB, on however large a machine.
constexpr std::size_t most_layers_at_once = 2;

class LayerExport {
  public:
    LayerExport(const std::vector<LayerPlan>& plan, const LayerTarget& target,
                const base::Stop& stop)
        : plan_(plan), target_(target), stop_(stop), known_(plan.size()),
          origins_(plan.size(), LayerOrigin::made) {}

    ExportedLayers run() {
        const auto threads = std::min<std::size_t>(base::usable_cores(), most_layers_at_once);
        base::for_each_parallel(plan_.size(), threads,
                                [&](std::size_t i) { known_[i] = look_up(i); });
        forget_absent();
        const auto missing = those_to_make();
        base::for_each_parallel(missing.size(), threads, [&](std::size_t i) { make(missing[i]); });
        ExportedLayers exported{.origins = origins_};
        for (const auto& [digest, size] : *sent_.lock()) {
            ++exported.sent.blobs;
            exported.sent.bytes += size;
        }
        for (std::size_t i = 0; i < plan_.size(); ++i) {
            exported.layers.push_back(known_[i]->layer);
            if (!plan_[i].old) target_.index.keep(plan_[i].key, *known_[i]);
        }
        return exported;
    }

  private:
    std::optional<KnownLayer> look_up(std::size_t i) {
        const auto& plan = plan_[i];
        origins_[i] = LayerOrigin::previous;
        if (plan.old) return KnownLayer{*plan.old};
        origins_[i] = LayerOrigin::unchanged;
        if (plan.key)
            if (const auto* found = target_.index.find_unchanged(*plan.key)) return *found;
        origins_[i] = LayerOrigin::same_content;
        // Reading a whole tree is worth while only when its layer may be known.
        if (!plan.key || target_.index.has_shape(*plan.key))
            if (const auto* found = target_.index.find_content(
                    image::hash_layer(plan.format, plan.content).diff_id, plan.format))
                return *found;
        return std::nullopt;
    }

    // The previous image's manifest was read a moment ago: what it names, the repository has.
    bool is_previous() const {
        if (!target_.previous) return false;
        std::set<image::Digest> has;
        for (const auto& layer : target_.previous->layers()) has.insert(layer.descriptor.digest);
        return std::all_of(known_.begin(), known_.end(), [&](const auto& known) {
            return known && has.contains(known->layer.descriptor.digest);
        });
    }

    // Content and store fail in one call: content_failed says which it was.
    template <class F>
    auto blame_target(const std::atomic<bool>& content_failed, F&& f) const {
        try {
            return f();
        } catch (const base::Error& error) {
            if (content_failed || stop_.requested() || stop_.expired()) throw;
            throw TargetError(error);
        }
    }

    // A manifest that names a blob which was lost is refused for ever: before there is a new one
    // the store is asked for each.
    void forget_absent() {
        if (target_.sparse || is_previous()) return;
        std::vector<image::Descriptor> unsure;
        for (const auto& known : known_)
            if (known) unsure.push_back(known->layer.descriptor);
        const auto absent =
            blame_target(false, [&] { return target_.store.find_missing(unsure, stop_); });
        for (auto& known : known_)
            if (known && std::find(absent.begin(), absent.end(), known->layer.descriptor.digest) !=
                             absent.end())
                known.reset();
    }

    // Largest first, so that none is left alone at the end.
    std::vector<std::size_t> those_to_make() const {
        std::vector<std::size_t> missing;
        for (std::size_t i = 0; i < plan_.size(); ++i)
            if (!known_[i]) missing.push_back(i);
        std::stable_sort(missing.begin(), missing.end(), [&](std::size_t a, std::size_t b) {
            return plan_[a].size > plan_[b].size;
        });
        return missing;
    }

    void make(std::size_t i) {
        std::atomic<bool> content_failed = false;
        const auto content = [&](image::LayerWriter& writer) {
            try {
                plan_[i].content(writer);
            } catch (const base::Error&) {
                content_failed = true;
                throw;
            }
        };
        const auto made = blame_target(content_failed, [&] {
            return image::store_layer(target_.store, plan_[i].format, content, stop_);
        });
        known_[i] = KnownLayer{made.layer, made.uncompressed};
        origins_[i] = LayerOrigin::made;
        if (made.was_there) return;
        sent_.lock()->emplace(made.layer.descriptor.digest, made.layer.descriptor.size);
    }

    const std::vector<LayerPlan>& plan_;
    const LayerTarget& target_;
    const base::Stop& stop_;
    std::vector<std::optional<KnownLayer>> known_; // each touched by one thread at a time
    std::vector<LayerOrigin> origins_;             // likewise
    base::Guarded<std::map<image::Digest, std::uint64_t>> sent_; // equal layers once
};

} // namespace

ExportedLayers export_layers(const std::vector<LayerPlan>& plan, const LayerTarget& target,
                             const base::Stop& stop) {
    const base::KeepBuffers keep; // one layer after another
    return LayerExport(plan, target, stop).run();
}

} // namespace builder
