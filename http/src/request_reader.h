// The bytes of one connection, cut into requests: heads and bodies, by Boost.Beast's parser and by
// rules that leave no two readings of one request (RFC 9112 section 11.2). One thread. Private to
// the server.
#pragma once

#include "stream.h"

#include "http/server.h"

#include <cstddef>
#include <memory>
#include <optional>
#include <string>

namespace http {

class RequestReader {
  public:
    RequestReader(Stream& stream, const ServerLimits& limits);
    ~RequestReader();

    // Bytes of a next request are there already.
    bool has_more() const noexcept { return begin_ < end_; }

    // Reads the next head, within the limits' header_time. False: the client closed, or said
    // nothing in time. Throws BadRequest; `head` has then what could be read of it.
    bool read_head(RequestHead& head, const base::Stop& stop);

    // Of the last head:
    bool keeps_alive() const noexcept { return keeps_alive_; }
    bool is_http_1_0() const noexcept { return version_1_0_; }
    bool expects_continue() const noexcept { return expects_continue_; }
    bool body_is_over() const noexcept;
    // Not over, but to be had cheaply: whole lengths below `most`.
    bool body_is_short(std::size_t most) const noexcept;
    // 0 at its end.
    std::size_t read_body(char* buffer, std::size_t size);

    // What came after the request.
    std::string take_rest();

  private:
    struct Parser;

    void parse_head(RequestHead& head);
    void check_fields(RequestHead& head);
    void make_room();
    void skip_empty_line();
    bool begins_empty_line() const;
    std::size_t read_chunks(char* buffer, std::size_t size);

    Stream& stream_;
    const ServerLimits& limits_;
    const std::size_t capacity_;
    std::unique_ptr<char[]> buffer_;
    std::size_t begin_ = 0;
    std::size_t end_ = 0;
    std::unique_ptr<Parser> parser_;
    bool keeps_alive_ = false;
    bool version_1_0_ = false;
    bool expects_continue_ = false;
    bool chunked_ = false;
    std::uint64_t body_left_ = 0; // of a Content-Length
};

} // namespace http
