// How a build that threw ended: refused, broken or cancelled.
#pragma once

#include "builder/event.h"

#include "base/error.h"
#include "base/stop.h"

namespace builder {

// stop: the one of the whole job, without its time limit.
Outcome outcome_of(const base::Error& error, Phase phase, const base::Stop& stop);

} // namespace builder
