#include "retention.h"

#include "retention_parts.h"

#include "base/error.h"
#include "base/log.h"
#include "base/text.h"

#include <mutex>
#include <numeric>

namespace server {
namespace {

constexpr auto between_looks = std::chrono::minutes(5); // at the disk
constexpr auto between_prunes = std::chrono::hours(24);
// A disk that stays full is not walked again and again.
constexpr auto between_prunes_of_a_full_disk = std::chrono::hours(1);

} // namespace

std::uint64_t PruneReport::bytes() const {
    return std::accumulate(items.begin(), items.end(), std::uint64_t{0},
                           [](std::uint64_t sum, const auto& item) { return sum + item.bytes; });
}

PruneReport prune(const PruneSettings& settings, DryRun dry_run) {
    static std::mutex one_at_a_time;
    const std::lock_guard lock(one_at_a_time);
    PruneReport report;
    std::vector<PruneItem> builds;
    // Caches first: how old one is, the app's builds tell.
    std::vector<PrunePart> parts{
        [&](DryRun dry) { return prune_caches(settings, dry); },
        [&](DryRun dry) { return builds = prune_builds(settings, dry); },
        [&](DryRun dry) { return prune_logs(settings, dry, builds); },
        [&](DryRun dry) { return prune_buildpacks(settings, dry); },
        [&](DryRun dry) { return prune_layers(settings, dry); },
        [&](DryRun dry) { return prune_ledgers(settings, dry); },
    };
    parts.insert(parts.end(), settings.more.begin(), settings.more.end());
    for (const auto& part : parts)
        for (auto& item : part(dry_run)) report.items.push_back(std::move(item));
    if (dry_run == DryRun::yes) return report;
    base::log::info("pruned", {{"items", std::to_string(report.items.size())},
                               {"freed", base::human_bytes(report.bytes())}});
    return report;
}

void keep_pruning(const PruneSettings& settings, const base::Stop& stop) {
    using Clock = base::Stop::Clock;
    auto last = Clock::now() - between_prunes;
    do {
        const auto since = Clock::now() - last;
        const bool full = free_space(settings.state.root()) < settings.config.free_space;
        if (since < (full ? Clock::duration(between_prunes_of_a_full_disk) : between_prunes))
            continue;
        last = Clock::now();
        try {
            prune(settings, DryRun::no);
        } catch (const std::exception& error) {
            base::log::warning("old things could not be removed", {{"reason", error.what()}});
        }
    } while (!stop.wait(between_looks));
}

} // namespace server
