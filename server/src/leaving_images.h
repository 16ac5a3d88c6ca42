// What is left in the server's own registry of repositories that are no app's any more. Their rows
// (apps::Store::list_leaving) are there from the moment that the app is gone, so that a crash
// leaves no image behind; and they stay until no token of before is good: with one a push may bring
// images back. Any thread; never while an app is made or changed.
#pragma once

#include "registry_files.h"

#include "apps/store.h"

#include "base/stop.h"

#include <chrono>
#include <mutex>
#include <string>

namespace server {

class LeavingImages {
  public:
    // server: its name in the store. Borrows the store.
    LeavingImages(RegistryFiles files, apps::Store& store, std::string server)
        : files_(std::move(files)), store_(store), server_(std::move(server)) {}

    // Removes what is there; that it is leaving is the caller's to have written. What cannot be
    // removed is logged and left for sweep().
    void remove(const std::string& repository) const noexcept;
    // Before an app takes the repository: what an app before it has left is removed. Throws
    // Error{unavailable} when that cannot be done now.
    void make_room(const std::string& repository) const;
    // Removes what is there of all of them, once more of those that were removed already, and ends
    // the leaving of those that began it at least `age` ago. Throws what the store throws.
    void sweep(std::chrono::milliseconds age) const;

  private:
    bool try_remove(const std::string& repository) const noexcept;

    const RegistryFiles files_;
    apps::Store& store_;
    const std::string server_;
};

// Once a minute, until the stop. apps_change: held by whoever makes or changes an app.
void keep_sweeping(const LeavingImages& images, std::mutex& apps_change, const base::Stop& stop);

} // namespace server
