#include "recover.h"

#include "kept_images.h"
#include "pusher_text.h"

#include "base/error.h"
#include "base/log.h"

namespace server {
namespace {

using apps::BuildState;

constexpr int everything = 1'000'000;
constexpr const char* way_out = "Push again.";

bool is_ours(const apps::Build& row, const QueueSettings& settings) {
    return row.worker.empty() || row.worker == settings.name;
}

std::vector<apps::Build> list(apps::Builds& builds, BuildState state) {
    return builds.list({.state = state, .limit = everything});
}

void report(const QueueSettings& settings, const apps::Build& row) {
    base::log::warning("a build was left by the last server",
                       {{"build", row.id}, {"now", apps::to_string(row.state)}});
    tell_in_log(settings, row);
    if (settings.on_change) settings.on_change(row);
}

void lose(apps::Builds& builds, const QueueSettings& settings, apps::Build row,
          const std::string& reason) {
    row.state = BuildState::lost;
    row.reason = reason;
    row.hint = way_out;
    row.finished = apps::now_milliseconds();
    if (builds.close(row)) report(settings, row);
}

void judge_received(apps::Builds& builds, const QueueSettings& settings) {
    for (auto& row : list(builds, BuildState::received)) {
        if (!is_ours(row, settings)) continue;
        if (!settings.has_arrived || !settings.has_arrived(row)) {
            lose(builds, settings, row, "the server stopped before its source had come");
        } else if (builds.enqueue(row.id)) {
            row.state = BuildState::queued;
            report(settings, row);
        }
    }
}

} // namespace

apps::RecoverSettings recover_settings(const QueueSettings& settings) {
    return {.most_attempts = settings.most_attempts,
            .lost_reason = "the server stopped while this build ran; push again",
            .poison_reason = "it began " + std::to_string(settings.most_attempts) +
                             " times and its worker or the server went down each time",
            .has_image = [kept = settings.kept_directory](std::string_view id) {
                return is_there(kept, std::string(id));
            }};
}

void tell_in_log(const QueueSettings& settings, const apps::Build& row) {
    try {
        BuildLog log(settings.logs_directory / (row.id + ".log"), settings.log_limit + (2u << 20),
                     BuildLog::Begin::after_its_last_line);
        for (const auto& line : apps::is_over(row.state)
                                    ? tell_outcome(row)
                                    : tell_restart(row, settings.most_attempts))
            log.append(line);
        log.finish();
    } catch (const std::exception& error) {
        base::log::warning("the log of a build could not be written",
                           {{"build", row.id}, {"reason", error.what()}});
    }
}

std::vector<apps::Build> recover_builds(apps::Builds& builds, const QueueSettings& settings) {
    for (const auto& row : builds.recover(recover_settings(settings), settings.name))
        report(settings, row);
    judge_received(builds, settings);
    std::vector<apps::Build> waiting;
    for (auto& row : list(builds, BuildState::queued)) {
        if (!is_ours(row, settings)) continue;
        if (row.durable)
            waiting.push_back(std::move(row));
        else
            lose(builds, settings, row, "the server stopped before this build began");
    }
    return waiting;
}

} // namespace server
