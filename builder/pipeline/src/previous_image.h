// The app's image before this one, read from its registry while the source is fetched and detected:
// it is needed from restore on. Owned by the thread that builds.
#pragma once

#include "phases/export.h"

#include "base/task_group.h"
#include "builder/job.h"

namespace builder {

class PreviousImageReader {
  public:
    // Nothing to read: a job without a previous digest or without a registry. All borrowed.
    PreviousImageReader(const Job& job, std::string architecture,
                        const registry::Settings& settings, const base::Stop& stop);

    // Waits for it, once. Empty: there is none, it has no metadata of ours, or it cannot be read,
    // which the log is then told. Throws Error{cancelled}.
    std::optional<PreviousImage> take(Reporter& report);

  private:
    std::optional<PreviousImage> image_;
    bool failed_ = false;
    base::TaskGroup tasks_; // last: its thread uses what stands above
};

// Where the bills of materials of that image lie, once they are there: in the cache when they are
// that image's, else read from its registry. Empty: it has none, or they cannot be read, which the
// log is then told. Throws Error{cancelled}.
std::filesystem::path bills_of(const PreviousImage& previous, const LayerCache& cache,
                               const Job& job, const registry::Settings& settings, Reporter& report,
                               const base::Stop& stop);

} // namespace builder
