// What the last life of a server left in the table and what becomes of it. Before anything runs.
#pragma once

#include "server/queue.h"

namespace server {

apps::RecoverSettings recover_settings(const QueueSettings& settings);

// Held builds go back to the queue or are lost, waiting ones whose source died with the server are
// lost, received ones are judged by has_arrived. Each one's log says so. Returns those that wait.
std::vector<apps::Build> recover_builds(apps::Builds& builds, const QueueSettings& settings);

// The words at the end of the log of a build that nobody watches.
void tell_in_log(const QueueSettings& settings, const apps::Build& row);

} // namespace server
