#include "outcome.h"

#include "base/log.h"

namespace builder {
namespace {

using base::Error;
using base::ErrorKind;

// Whose it is to mend: the pusher's or the operator's.
bool is_refusal(Phase phase, ErrorKind kind) {
    if (kind == ErrorKind::buildpack_failed) return true;
    if (phase == Phase::restore || phase == Phase::publish) return false;
    return kind == ErrorKind::invalid_input || kind == ErrorKind::limit_exceeded ||
           kind == ErrorKind::timed_out;
}

} // namespace

Outcome outcome_of(const Error& error, Phase phase, const base::Stop& stop) {
    if (error.kind() == ErrorKind::cancelled && stop.requested())
        return Cancelled{"the build was cancelled"};
    if (is_refusal(phase, error.kind()))
        return Refused{phase, error.kind(), error.message(), error.hint()};
    base::log::error("the build broke", {{"phase", to_string(phase)}, {"error", error.describe()}});
    return Broken{phase, error.kind(), error.message(), error.hint()};
}

} // namespace builder
