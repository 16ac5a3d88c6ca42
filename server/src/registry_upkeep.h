// When the server's own registry may lose files: while no build and no rebase works with it. Any
// thread.
#pragma once

#include "own_registry.h"
#include "rebases.h"
#include "registry_garbage.h"

namespace server {

// What prune_registry wants. end: the server's.
RegistryPrune registry_prune(OwnRegistry& registry, Queue& queue, Rebases& rebases,
                             const Config& config, const StateDirectory& state, apps::Store& store,
                             const base::Stop& end);

} // namespace server
