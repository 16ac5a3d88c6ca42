#include "registry_upkeep.h"

namespace server {
namespace {

// Builds wait for it, so it waits for builds only so long.
constexpr auto longest_wait_for_builds = std::chrono::minutes(2);
constexpr auto longest_sweep = std::chrono::minutes(30);

// Of a queue or of the rebases, for as long as this lives.
template <class Work>
class Pause {
  public:
    Pause(Work& work, const base::Stop& stop) : work_(work), had_(work.pause(stop)) {}
    ~Pause() {
        if (had_) work_.resume();
    }
    Pause(const Pause&) = delete;
    Pause& operator=(const Pause&) = delete;
    explicit operator bool() const noexcept { return had_; }

  private:
    Work& work_;
    const bool had_;
};

} // namespace

RegistryPrune registry_prune(OwnRegistry& registry, Queue& queue, Rebases& rebases,
                             const Config& config, const StateDirectory& state, apps::Store& store,
                             const base::Stop& end) {
    return {.files = RegistryFiles(registry_data(state)),
            .store = store,
            .age = config.retention.images,
            .alone =
                [&queue, &rebases, &registry, end](const std::function<void()>& work) {
                    const auto patience = end.within(longest_wait_for_builds);
                    const Pause no_rebases(rebases, patience);
                    if (!no_rebases) return false;
                    const Pause no_builds(queue, patience);
                    if (!no_builds) return false;
                    registry.read_only_during(work, end.within(longest_sweep));
                    return true;
                },
            .sweep = [&registry, end] { registry.sweep(end.within(longest_sweep)); }};
}

} // namespace server
