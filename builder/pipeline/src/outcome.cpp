#include "outcome.h"

#include "base/log.h"
#include "base/text.h"

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

std::string command_line(const buildpacks::Process& process) {
    std::string line;
    for (const auto* words : {&process.command, &process.args})
        for (const auto& word : *words) line += (line.empty() ? "" : " ") + word;
    return base::printable(line);
}

Detected outcome_of(const Group& group) {
    Detected detected;
    for (const auto& member : group) detected.group.push_back(member.buildpack->info().full_name());
    return detected;
}

Published outcome_of(const PublishedImage& published, const Exported& exported) {
    Published outcome{.reference = published.reference,
                      .digest = exported.image.digest().render(),
                      .size = exported.image.total_size(),
                      .processes = {}};
    for (const auto& named : exported.processes)
        outcome.processes.push_back(
            {named.process.type, command_line(named.process), named.process.is_default});
    return outcome;
}

} // namespace builder
