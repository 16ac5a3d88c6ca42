// Builds, their logs, and the ledgers: what the store knows the age of.
#include "build_records.h"
#include "retention_parts.h"

#include "base/error.h"
#include "base/log.h"
#include "base/text.h"

#include <algorithm>
#include <map>
#include <set>

namespace server {
namespace {

namespace fs = std::filesystem;

// A build's files begin with its id, a letter and 12 characters without a dot; other logs (the
// registry's) lie beside them. Empty for those.
std::string build_of(const fs::path& file) {
    const auto name = file.filename().string();
    const auto id = name.substr(0, name.find('.'));
    return id.size() == 13 && id[0] == 'b' ? id : std::string();
}

struct Files {
    std::vector<fs::path> paths;
    std::uint64_t bytes = 0;
};

// By build; ids sort by the time they were made at.
std::map<std::string, Files> files_of_builds(const StateDirectory& state) {
    std::map<std::string, Files> files;
    for (const auto& entry : fs::directory_iterator(state.logs())) {
        const auto id = build_of(entry.path());
        if (id.empty()) continue;
        auto& build = files[id];
        build.paths.push_back(entry.path());
        build.bytes += bytes_of(entry.path());
    }
    return files;
}

void remove(const Files& files) {
    for (const auto& path : files.paths) {
        std::error_code failure;
        fs::remove(path, failure);
        if (failure)
            base::log::warning("a log could not be removed",
                               {{"file", path.native()}, {"reason", failure.message()}});
    }
}

std::vector<apps::Build> list_expired(const PruneSettings& settings) {
    return settings.store.builds().list_expired(before(settings.config.builds),
                                                static_cast<int>(settings.config.builds_kept));
}

// Why the log of a build that is over goes; empty: it stays.
std::string reason_to_go(const PruneSettings& settings, const apps::Build& build,
                         std::uint64_t kept) {
    if (build.finished < before(settings.config.logs)) return older_than(settings.config.logs);
    const auto most = settings.config.logs_size;
    if (most > 0 && kept > most)
        return "logs are " + base::human_bytes(kept) + " together, more than " +
               base::human_bytes(most);
    return {};
}

} // namespace

std::int64_t before(std::chrono::seconds age) {
    return apps::now_milliseconds() - std::chrono::milliseconds(age).count();
}

std::string days_of(std::chrono::seconds age) {
    const auto days = age.count() / 86'400;
    if (days > 0) return std::to_string(days) + (days == 1 ? " day" : " days");
    return base::human_duration(std::chrono::milliseconds(age).count());
}

std::string older_than(std::chrono::seconds age) {
    return "older than " + days_of(age);
}

std::vector<PruneItem> prune_builds(const PruneSettings& settings, DryRun dry_run) {
    std::vector<PruneItem> items;
    const auto& config = settings.config;
    auto files = files_of_builds(settings.state);
    auto& builds = settings.store.builds();
    for (const auto& build : list_expired(settings)) {
        items.push_back({"build", build.id, files[build.id].bytes, older_than(config.builds)});
        if (dry_run == DryRun::yes) continue;
        remove(files[build.id]);
        builds.remove(build.id);
    }
    return items;
}

// The oldest first. What belongs to no build was left by one that was never added.
std::vector<PruneItem> prune_logs(const PruneSettings& settings, DryRun dry_run,
                                  const std::vector<PruneItem>& builds) {
    std::vector<PruneItem> items;
    auto files = files_of_builds(settings.state);
    for (const auto& build : builds) files.erase(build.name); // in a dry run they are still there
    std::uint64_t kept = 0;
    for (const auto& [id, build] : files) kept += build.bytes;
    for (const auto& [id, found] : files) {
        const auto build = settings.store.builds().find(id);
        if (build && !apps::is_over(build->state)) continue;
        // A log comes before its row.
        std::error_code gone;
        const auto age =
            fs::file_time_type::clock::now() - fs::last_write_time(found.paths.front(), gone);
        if (!build && (gone || age < std::chrono::hours(1))) continue;
        const auto reason = build ? reason_to_go(settings, *build, kept) : "of no build";
        if (reason.empty()) continue;
        kept -= found.bytes;
        items.push_back({"log", id, found.bytes, reason});
        if (dry_run == DryRun::no) remove(found);
    }
    return items;
}

std::vector<PruneItem> prune_ledgers(const PruneSettings& settings, DryRun dry_run) {
    std::vector<PruneItem> items;
    const auto note = [&](const char* kind, int rows, std::chrono::seconds age) {
        if (rows > 0)
            items.push_back(
                {kind, std::to_string(rows), 0, older_than(age), static_cast<std::uint64_t>(rows)});
    };
    const auto leave = [&](const char* kind, auto& ledger, std::chrono::seconds age) {
        note(kind,
             dry_run == DryRun::yes ? ledger.count_before(before(age))
                                    : ledger.remove_before(before(age)),
             age);
    };
    leave("notice", settings.store.notices(), settings.config.notices);
    constexpr auto day = std::chrono::hours(24); // what the API promises
    leave("idempotency key", settings.store.idempotency(), day);
    auto& hooks = settings.store.hooks();
    const auto since = before(settings.deliveries);
    note("delivery",
         dry_run == DryRun::yes ? hooks.count_deliveries_before(since)
                                : hooks.remove_deliveries_before(since),
         settings.deliveries);
    return items;
}

} // namespace server
