// Both directions of the protocol with slipway-init (launcher/init_protocol.h) as bytes: no
// descriptors here. What init sends is the word of a hostile build. One thread.
#pragma once

#include "engine/sandbox.h"

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

namespace engine {

// Throws Error{invalid_input} for a NUL byte or an empty command, Error{limit_exceeded} for a
// request that init would not take.
std::string render_request(std::uint32_t id, const Invocation& invocation);

// Cuts the stream into frames whatever the pieces it comes in. Output is handed on as it comes,
// so that no frame is ever held as a whole.
class FrameReader {
  public:
    struct Sink {
        std::function<void(std::uint32_t id, std::string_view bytes)> output;
        std::function<void(std::uint32_t id, base::ExitStatus status)> exit;
    };
    // Who hears of the frames from now on.
    void set_sink(Sink sink) { sink_ = std::move(sink); }
    // Throws Error{internal} when the stream is not what the protocol allows.
    void feed(std::string_view bytes);

  private:
    void start_frame();
    void finish_exit();

    Sink sink_;
    std::string pending_; // a header, or an exit's payload, that has not come whole
    bool in_payload_ = false;
    char type_ = 0;
    std::uint32_t id_ = 0;
    std::uint32_t left_ = 0; // of the payload
};

} // namespace engine
