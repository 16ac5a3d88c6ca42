// Runs `slipway-worker` for one job and reads what it says; the server and `slipway build` share
// it. Blocks; the calling thread owns the worker (it dies with that thread). It draws no conclusion
// from a job and stores nothing.
#pragma once

#include "builder/event.h"
#include "builder/job.h"

#include "base/stop.h"

#include <chrono>
#include <filesystem>
#include <functional>

namespace builder {

struct WorkerCommand {
    std::filesystem::path program;         // slipway-worker
    std::chrono::milliseconds grace{5000}; // between SIGTERM and SIGKILL on a stop
};

// Hands each event to on_event, the Outcome as soon as it was said, and returns it once the worker
// and all it held are gone. There is always an outcome: Broken when the worker died without one,
// said what is no event or could not be started, Cancelled on a requested stop, Refused{timed_out}
// past the stop's deadline. on_event sees these too.
Outcome run_worker(const WorkerCommand& worker, const Job& job,
                   const std::function<void(const Event&)>& on_event, const base::Stop& stop);

} // namespace builder
