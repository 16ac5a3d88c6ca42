// A build's source in its row: readable, but for what opens it. The URL of an archive may be signed
// or hold a token; it stands there sealed, and open without its query.
#pragma once

#include "apps/builds.h"
#include "base/crypto.h"
#include "builder/job.h"

namespace server {

// Whether write_source seals something: then the keys are kept (base::KeyRing::keep) until the row
// is in the table.
bool has_sealed_part(const builder::Source& source) noexcept;
// Throws Error{unavailable} when something is to be sealed and there are no keys.
void write_source(const builder::Source& source, const base::KeyRing* keys, apps::Build& row);
builder::Source read_source(const apps::Build& row, const base::KeyRing* keys);

// At the start, before others use the table: rows of a program that wrote URLs down openly.
void seal_open_sources(apps::Builds& builds, const base::KeyRing& keys);

} // namespace server
