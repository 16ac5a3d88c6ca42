// The way from a source to a digest: six phases, each a struct in and a struct out.
// Runs in the worker's own world (engine/namespaces.h); one call a process.
#pragma once

#include "builder/event.h"
#include "builder/job.h"
#include "pipeline/reporter.h"

#include "base/stop.h"
#include "engine/namespaces.h"

namespace builder {

// Large blocks that were freed go back to the system, whichever thread had them: a worker's memory
// is what it holds. Once, before anything else.
void give_back_freed_memory() noexcept;

// Never throws: whatever happens is an Outcome, and the log already says so. The outcome is not
// sent; that is the caller's last word.
Outcome run_pipeline(const Job& job, const engine::World& world, Reporter& report,
                     const base::Stop& stop);

} // namespace builder
