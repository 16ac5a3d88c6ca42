// How answers look on the wire. Values only. Private to the server.
#pragma once

#include "http/server.h"

#include <cstdint>
#include <optional>
#include <string>

namespace http {

enum class BodyFraming {
    length,  // Content-Length
    chunked, //
    close,   // up to the end of the connection
    none,    // a status that has no body
};

struct AnswerHead {
    int status = 200;
    BodyFraming framing = BodyFraming::length;
    std::uint64_t length = 0;
    bool keep_alive = true;
    bool to_http_1_0 = false;
};

// The status line and the headers, with the blank line. What decides about framing is written from
// `answer` alone. Throws Error{internal} for a header that would break the line.
std::string render_head(const AnswerHead& answer, const HeaderList& headers);

// RFC 9110: 1xx, 204 and 304.
bool has_no_body(int status) noexcept;

} // namespace http
