// A published image gets what its build can say about it (proof/attach.h): provenance, bills of
// materials, the log; signed. Blocks on the image's store; any thread.
#pragma once

#include "builder/event.h"
#include "builder/materials.h"

#include "base/key_pair.h"
#include "base/stop.h"

#include <cstdint>
#include <string>
#include <string_view>

namespace builder {

// Who says it, and what a worker does not know.
struct Witness {
    std::string builder;             // URI of the server
    std::string version;             // of Slipway
    std::string repository_url = {}; // of a GitTree: where it was pushed to
    std::string ref = {};
    std::int64_t started = 0; // milliseconds since 1970
    std::int64_t finished = 0;
};

// log: as people read it. Throws what the store throws; then it may hold a part of it, never a
// signature without the rest.
void attach_proof(image::BlobStore& store, const Job& job, const Published& published,
                  const Materials& materials, std::string_view log, const Witness& witness,
                  const base::KeyPair& key, const base::Stop& stop);

} // namespace builder
