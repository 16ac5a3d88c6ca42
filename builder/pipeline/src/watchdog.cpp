#include "watchdog.h"

#include <algorithm>
#include <poll.h>

namespace builder {

Watchdog::Watchdog(const base::Stop& job, std::chrono::seconds silence) : silence_(silence) {
    heard();
    tasks_.start([this, job](const base::Stop& own) { watch(own, job); });
}

base::Stop::Clock::duration Watchdog::quiet_for() const noexcept {
    return base::Stop::Clock::now().time_since_epoch() - base::Stop::Clock::duration(last_);
}

void Watchdog::watch(const base::Stop& own, const base::Stop& job) {
    while (!own.requested()) {
        auto left = silence_ - quiet_for();
        if (const int until_deadline = job.poll_timeout(); until_deadline >= 0)
            left = std::min<base::Stop::Clock::duration>(left,
                                                         std::chrono::milliseconds(until_deadline));
        const bool asked = own.within(left).wait_for(job.fd(), POLLIN);
        if (own.requested()) return;
        silent_ = !asked && !job.expired() && quiet_for() >= silence_;
        if (asked || job.expired() || silent_) return source_.request();
    }
}

} // namespace builder
