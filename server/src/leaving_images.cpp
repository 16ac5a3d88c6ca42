#include "leaving_images.h"

#include "registry_tokens.h"

#include "base/error.h"
#include "base/log.h"

#include <algorithm>

namespace server {
namespace {

constexpr auto between_sweeps = std::chrono::minutes(1);
// docker-registry takes one for another minute after its end.
constexpr std::chrono::milliseconds tokens_live =
    RegistryTokens::lifetime + std::chrono::minutes(1);

} // namespace

bool LeavingImages::try_remove(const std::string& repository) const noexcept {
    try {
        files_.remove_repository(repository);
        return true;
    } catch (const std::exception& error) { // a push writes there, or the disk fails
        base::log::warning("images of an app that is gone could not be removed yet",
                           {{"repository", repository}, {"reason", error.what()}});
        return false;
    }
}

void LeavingImages::remove(const std::string& repository) const noexcept {
    try_remove(repository);
}

void LeavingImages::make_room(const std::string& repository) const {
    const auto leaving = store_.list_leaving(server_);
    if (std::find(leaving.begin(), leaving.end(), repository) == leaving.end()) return;
    if (!try_remove(repository))
        throw base::Error(base::ErrorKind::unavailable,
                          "images of an app that was destroyed are still in the repository \"" +
                              repository + "\"",
                          "Try again in a minute; the server's log says what keeps them.");
}

void LeavingImages::sweep(std::chrono::milliseconds age) const {
    const auto over = store_.list_leaving(server_, age);
    for (const auto& repository : store_.list_leaving(server_))
        if (try_remove(repository) && std::binary_search(over.begin(), over.end(), repository))
            store_.forget_leaving(server_, repository);
}

void keep_sweeping(const LeavingImages& images, std::mutex& apps_change, const base::Stop& stop) {
    while (!stop.wait(between_sweeps)) {
        try {
            const std::lock_guard one_at_a_time(apps_change);
            images.sweep(tokens_live);
        } catch (const std::exception& error) { // the database: the next round looks again
            base::log::warning("repositories of apps that are gone could not be listed",
                               {{"reason", error.what()}});
        }
    }
}

} // namespace server
