#include "kept_images.h"

#include "retention_parts.h"

#include "builder/kept.h"

#include "base/error.h"
#include "base/log.h"
#include "base/temp_dir.h"

#include <algorithm>

namespace server {
namespace {

namespace fs = std::filesystem;

constexpr std::chrono::milliseconds least_pause{5'000}, most_pause{300'000};

std::chrono::milliseconds age_of(const fs::path& directory) {
    return std::chrono::duration_cast<std::chrono::milliseconds>(
        fs::file_time_type::clock::now() - fs::last_write_time(directory / "kept.json"));
}

} // namespace

fs::path kept_image(const QueueSettings& settings, const std::string& build) {
    return settings.kept_directory / build;
}

bool is_there(const fs::path& directory, const std::string& build) noexcept {
    try {
        return !directory.empty() && builder::is_kept(directory / build);
    } catch (const std::exception&) { // it cannot be looked at: nobody could send it either
        return false;
    }
}

bool take_kept(const QueueSettings& settings, const builder::Job& job) {
    const auto left = builder::kept_in(job);
    if (settings.kept_directory.empty() || settings.kept_for.count() == 0 ||
        !builder::is_kept(left))
        return false;
    try {
        fs::create_directories(settings.kept_directory);
        if (bytes_of(left) + bytes_of(settings.kept_directory) > settings.kept_bytes) {
            base::log::warning("there is no room to keep an image that its registry did not take",
                               {{"build", job.id}});
            return false;
        }
        const auto place = kept_image(settings, job.id);
        base::remove_tree(place); // of an attempt before
        fs::rename(left, place);
        return true;
    } catch (const std::exception& error) {
        base::log::warning("an image could not be kept",
                           {{"build", job.id}, {"reason", error.what()}});
        return false;
    }
}

void drop_kept(const QueueSettings& settings, const std::string& build) {
    if (settings.kept_directory.empty()) return;
    try {
        base::remove_tree(kept_image(settings, build));
    } catch (const std::exception& error) { // the next prune tries again
        base::log::warning("a kept image could not be removed",
                           {{"build", build}, {"reason", error.what()}});
    }
}

std::optional<std::chrono::milliseconds> pause_of_kept(const QueueSettings& settings,
                                                       const std::string& build) {
    const auto age = age_of(kept_image(settings, build));
    if (age > settings.kept_for) return std::nullopt;
    return std::clamp(age / 2, least_pause, most_pause);
}

std::vector<PruneItem> prune_kept(const fs::path& directory, apps::Builds& builds, DryRun dry_run) {
    std::vector<PruneItem> items;
    if (!fs::exists(directory)) return items;
    for (const auto& entry : fs::directory_iterator(directory)) {
        const auto id = entry.path().filename().string();
        const auto build = builds.find(id);
        if (build && !apps::is_over(build->state)) continue;
        items.push_back({"kept image", id, bytes_of(entry.path()), "its build is over"});
        if (dry_run == DryRun::no) base::remove_tree(entry.path());
    }
    return items;
}

} // namespace server
