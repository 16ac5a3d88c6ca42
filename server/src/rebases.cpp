#include "rebases.h"

#include "jobs.h"
#include "rebase_release.h"
#include "registry_scope.h"
#include "registry_tokens.h"

#include "base/error.h"
#include "base/log.h"
#include "base/task_group.h"
#include "base/text.h"

#include <algorithm>
#include <atomic>
#include <poll.h>

namespace server {
namespace {

using base::Error;
using base::ErrorKind;

// A registry's own CPU is the bottleneck; more do not help it.
constexpr std::size_t most_at_once = 8;

} // namespace

// One run among those that a pause waits for.
class Rebases::Turn {
  public:
    explicit Turn(Rebases& rebases) : rebases_(rebases) {
        auto state = rebases_.state_.lock();
        if (state->paused || rebases_.settings_.drain.requested())
            throw Error(ErrorKind::unavailable,
                        state->paused ? "the server is cleaning its registry up"
                                      : "the server is stopping",
                        "Try again in a minute.");
        ++state->running;
    }
    ~Turn() {
        auto state = rebases_.state_.lock();
        if (--state->running == 0 && state->paused) state->paused->request();
    }
    Turn(const Turn&) = delete;
    Turn& operator=(const Turn&) = delete;

  private:
    Rebases& rebases_;
};

std::string_view to_string(RebaseResult result) noexcept {
    switch (result) {
    case RebaseResult::rebased:
        return "rebased";
    case RebaseResult::would_rebase:
        return "would-rebase";
    case RebaseResult::unchanged:
        return "unchanged";
    case RebaseResult::skipped:
        return "skipped";
    case RebaseResult::failed:
        break;
    }
    return "failed";
}

Rebases::Rebases(RebaseSettings settings) : settings_(std::move(settings)) {}

bool Rebases::pause(const base::Stop& stop) {
    base::Stop quiet;
    {
        auto state = state_.lock();
        if (state->paused) return false; // another one has it
        quiet = state->paused.emplace().stop();
        if (state->running == 0) state->paused->request();
    }
    if (quiet.requested() || stop.wait_for(quiet.fd(), POLLIN)) return true;
    resume();
    return false;
}

void Rebases::resume() {
    state_.lock()->paused.reset();
}

void Rebases::check_for_everybody(const std::string& run) const {
    const auto wanted = image::Reference::parse(run).render();
    for (const auto& stack : settings_.store.list_stacks())
        if (stack.run == wanted) return;
    throw Error(
        ErrorKind::denied, base::quoted(run) + " is no run image of this server's stacks",
        "Leave it out for that of the app's stack, or let the server's operator rebase it.");
}

std::vector<RebasedApp> Rebases::run(const std::vector<std::string>& apps, const RebaseWish& wish,
                                     const base::Stop& stop) {
    const Turn turn(*this);
    const auto& registry = settings_.registry;
    const auto access = own_settings(registry, settings_.ca_file);
    RunImages images(registry.host, access);
    registry::MakeToken make_token;
    if (registry.tokens) // whoever makes the tokens need not ask for them
        make_token = [tokens = registry.tokens](const std::vector<std::string>& scopes) {
            std::vector<RegistryScope> asked;
            for (const auto& scope : scopes)
                for (auto& parsed : parse_registry_scopes(scope)) asked.push_back(parsed);
            return tokens->make("server", asked, apps::now_milliseconds());
        };
    const registry::Host host(registry.host, access, make_token);
    std::vector<RebasedApp> report(apps.size());
    std::atomic<std::size_t> next = 0;
    const auto work = [&](const base::Stop&) {
        for (std::size_t i; (i = next++) < apps.size();) {
            report[i].app = apps[i];
            RebaseRelease(settings_, wish, images, host, report[i]).run(stop);
        }
    };
    base::TaskGroup group;
    for (std::size_t i = 1; i < std::min(most_at_once, apps.size()); ++i) group.start(work);
    work(stop);
    group.join();
    const auto count = [&](RebaseResult result) {
        return std::to_string(std::count_if(report.begin(), report.end(),
                                            [&](const auto& one) { return one.result == result; }));
    };
    if (!wish.dry_run)
        base::log::info("apps were rebased", {{"by", wish.by},
                                              {"run", wish.run},
                                              {"rebased", count(RebaseResult::rebased)},
                                              {"failed", count(RebaseResult::failed)}});
    return report;
}

} // namespace server
