// Apps put on another run image without a build (builder/rebase.h), each a new release: a row of
// the builds' table with the door "rebase". An app's turn is taken as a build takes it, so that a
// build and a rebase of one app never run at once. main owns the one Rebases; any thread.
#pragma once

#include "site.h"

#include "builder/rebase.h"
#include "registry/host.h"

#include "base/guarded.h"
#include "base/stop.h"

#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace server {

struct PublishedBuild;

struct RebaseWish {
    std::string run; // reference; empty: the run image of the stack that each app builds on
    builder::Force force = builder::Force::no;
    bool dry_run = false;
    std::string by; // who asked
};

enum class RebaseResult { rebased, would_rebase, unchanged, skipped, failed };
std::string_view to_string(RebaseResult result) noexcept; // "rebased", "would-rebase", ...

struct RebasedApp {
    std::string app;
    RebaseResult result = RebaseResult::failed;
    std::string build;     // of one that was rebased, or broke on the way
    std::string run;       // the run image, with its digest
    std::string from, to;  // digests of the image
    std::string reference; // of the new one
    std::vector<std::string> warnings;
    std::string reason; // why not
    std::string hint;
};

struct RebaseSettings {
    apps::Store& store;
    const Registry& registry;
    std::filesystem::path logs_directory;
    std::filesystem::path ca_file;
    std::string name; // of this server in the builds' table
    base::Stop drain; // the server takes on nothing more
    // As QueueSettings have them; may be empty.
    std::function<void(const PublishedBuild&, const base::Stop&)> prove;
    std::function<void(const apps::Build&)> on_change;
};

class Rebases {
  public:
    explicit Rebases(RebaseSettings settings);

    // Several at a time, over connections that are kept; what happens to one app does not stop the
    // others. In the order of `apps`. Throws Error{unavailable} while the server stops and during a
    // pause.
    std::vector<RebasedApp> run(const std::vector<std::string>& apps, const RebaseWish& wish,
                                const base::Stop& stop);
    // The run image of a stack of this server, as its table names it: anybody's app may be put on
    // it. Throws Error{denied} for another one.
    void check_for_everybody(const std::string& run) const;

    // Begins no more until resume(), and waits until none goes on or the stop comes: false then,
    // and they begin again.
    bool pause(const base::Stop& stop);
    void resume();

  private:
    struct State {
        std::size_t running = 0;
        std::optional<base::StopSource> paused; // requested once none runs
    };
    class Turn;

    const RebaseSettings settings_;
    base::Guarded<State> state_;
};

} // namespace server
