// How a build that threw ended: refused, broken or cancelled.
#pragma once

#include "builder/event.h"
#include "phases/publish.h"

#include "base/error.h"
#include "base/stop.h"

namespace builder {

// stop: the one of the whole job, without its time limit.
Outcome outcome_of(const base::Error& error, Phase phase, const base::Stop& stop);

Detected outcome_of(const Group& group); // of a job that stops after detection

Published outcome_of(const PublishedImage& published, const Exported& exported);

std::string command_line(const buildpacks::Process& process); // for people

} // namespace builder
