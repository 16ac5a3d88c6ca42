// A build's job for as long as somebody works on it. Owned by the slot's thread.
#pragma once

#include "build_source.h"

#include "server/queue.h"

namespace server {

// What make_job made goes with it, whatever happens.
class MadeJob {
  public:
    MadeJob(const QueueSettings& settings, const apps::Build& row)
        : settings_(settings), job_(settings.make_job(row, read_source(row, settings.keys))) {}
    ~MadeJob() { settings_.clean_up(job_); }
    MadeJob(const MadeJob&) = delete;
    MadeJob& operator=(const MadeJob&) = delete;
    builder::Job& operator*() noexcept { return job_; }

  private:
    const QueueSettings& settings_;
    builder::Job job_;
};

} // namespace server
