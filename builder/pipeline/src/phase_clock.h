// Tells when each phase of a build began and how long it took; remembers which one is running.
// Owned by the thread that builds.
#pragma once

#include "pipeline/reporter.h"

#include <chrono>
#include <type_traits>

namespace builder {

class PhaseClock {
  public:
    explicit PhaseClock(Reporter& report) : report_(report) {}

    Phase phase() const noexcept { return phase_; }

    // Runs `f` as this phase. One that throws does not finish.
    template <class F>
    std::invoke_result_t<F> timed(Phase phase, F&& f) {
        phase_ = phase;
        report_.send(PhaseStarted{phase});
        const auto began = std::chrono::steady_clock::now();
        const auto finish = [&] {
            report_.send(PhaseFinished{phase, std::chrono::duration_cast<std::chrono::milliseconds>(
                                                  std::chrono::steady_clock::now() - began)
                                                  .count()});
        };
        if constexpr (std::is_void_v<std::invoke_result_t<F>>) {
            f();
            finish();
        } else {
            auto result = f();
            finish();
            return result;
        }
    }

  private:
    Reporter& report_;
    Phase phase_ = Phase::fetch;
};

} // namespace builder
