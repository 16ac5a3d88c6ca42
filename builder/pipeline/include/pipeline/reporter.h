// What a build says: events on a descriptor, as docs/local-protocol.md and builder/event.h name
// them. Lines follow the field's convention: "-----> step", seven spaces of body, " !     error".
// Nothing that a stranger wrote reaches the stream unprinted, and no secret of the build unmasked.
// Any thread.
#pragma once

#include "builder/event.h"

#include "base/secret_mask.h"

#include <cstdint>
#include <mutex>
#include <string>
#include <string_view>

namespace builder {

class Reporter {
  public:
    // fd is borrowed. Lines past log_bytes are dropped after one that says so.
    Reporter(int fd, std::uint64_t log_bytes, base::SecretMask mask = {});

    void step(std::string_view text);    // "-----> text"
    void body(std::string_view text);    // "       text"
    void problem(std::string_view text); // " !     text"
    // Long sentences are cut; a record that is longer than the queue takes is left out.
    void send(const Event& event);
    // For whoever cuts a stranger's text: to be masked before.
    const base::SecretMask& mask() const noexcept { return mask_; }

  private:
    void line(std::string_view prefix, std::string_view text);
    void write(const Event& event); // masked already
    int fd_;
    const base::SecretMask mask_;
    std::uint64_t left_;
    std::mutex mutex_;
};

} // namespace builder
