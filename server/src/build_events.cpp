#include "build_events.h"

namespace server {

std::shared_ptr<BuildLog::Follower> BuildEvents::follow(const std::string& app) {
    auto follower = std::make_shared<BuildLog::Follower>();
    followers_.lock()->emplace(app, follower);
    return follower;
}

void BuildEvents::announce(const std::string& app) noexcept {
    auto followers = followers_.lock();
    for (auto [it, end] = followers->equal_range(app); it != end;) {
        if (const auto follower = it->second.lock()) {
            follower->wake();
            ++it;
        } else {
            it = followers->erase(it);
        }
    }
}

} // namespace server
