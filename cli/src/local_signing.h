// What a server does with a build that it published (server/signatures.h), for `slipway build
// --sign-key`: provenance, bills of materials and log beside the image, signed with a key of the
// person's. main's thread.
#pragma once

#include "builder/event.h"
#include "builder/job.h"

#include "base/key_pair.h"
#include "base/stop.h"

#include <cstdint>
#include <filesystem>
#include <string>

namespace cli {

class LocalSigning {
  public:
    // Throws Error{invalid_input} for a file that holds no such key, Error{denied} for one that
    // others may read.
    LocalSigning(const std::filesystem::path& key, std::string version);

    void take(const builder::Event& event);
    // job.target has the image by now. from: where the worker put the bills of materials. Throws
    // what the stores throw.
    void sign(const builder::Job& job, const builder::Published& published,
              const builder::Target& from, const base::Stop& stop) const;

  private:
    const base::KeyPair key_;
    const std::string version_;
    const std::int64_t started_; // milliseconds since 1970
    std::string materials_, log_;
};

} // namespace cli
