#include "served_exchange.h"

#include "connection.h"
#include "reply_text.h"
#include "websocket.h"

#include <algorithm>
#include <utility>

namespace http {
namespace {

// A short body is read to its end and dropped; a longer one costs the connection.
constexpr std::size_t most_dropped = 64u << 10;
// Copied into one send with the head; longer ones are sent after it.
constexpr std::size_t longest_copied = 64u << 10;

} // namespace

std::optional<std::string> RequestHead::header(std::string_view lower_case_name) const {
    const auto found = headers.find(std::string(lower_case_name));
    if (found == headers.end()) return std::nullopt;
    return found->second;
}

const std::string& Exchange::parameter(std::string_view name) const {
    const auto found = parameters.find(std::string(name));
    if (found == parameters.end())
        throw base::Error(base::ErrorKind::internal,
                          "the route has no parameter " + std::string(name));
    return found->second;
}

std::string Exchange::read_whole_body(std::size_t limit) {
    const auto refuse = [&] {
        throw base::Error(base::ErrorKind::limit_exceeded,
                          "the request's body is longer than " + std::to_string(limit) + " bytes");
    };
    const auto announced = head().content_length.value_or(0);
    if (announced > limit) refuse();
    std::string body;
    // Not all that was announced: a stranger would have us hold memory for a header.
    std::size_t room = std::min<std::uint64_t>(std::max<std::uint64_t>(announced, 4096), 64u << 10);
    for (;;) {
        const auto before = body.size();
        body.resize(before + room);
        const auto n = read_body(body.data() + before, room);
        body.resize(before + n);
        if (n == 0) return body;
        if (body.size() > limit) refuse();
        if (head().content_length && body.size() == announced) return body;
    }
}

ServedExchange::ServedExchange(Stream& stream, RequestReader& reader, const RequestHead& head,
                               bool may_keep_alive)
    : stream_(stream), reader_(reader), head_(head), may_keep_alive_(may_keep_alive),
      wants_no_body_(head.method == "HEAD") {}

std::size_t ServedExchange::read_body(char* buffer, std::size_t size) {
    if (reader_.expects_continue() && !is_started()) stream_.write("HTTP/1.1 100 Continue\r\n\r\n");
    try {
        return reader_.read_body(buffer, size);
    } catch (const BadRequest& bad) {
        refusal_ = bad.status();
        throw;
    }
}

// Decides about the connection's future while it can still be said.
void ServedExchange::begin() {
    if (is_started()) throw base::Error(base::ErrorKind::internal, "a request was answered twice");
    const bool body_is_no_trouble = reader_.body_is_over() || reader_.body_is_short(most_dropped);
    keeps_alive_ = may_keep_alive_ && reader_.keeps_alive() && body_is_no_trouble;
}

void ServedExchange::send(const Reply& reply) {
    begin();
    // Who answers knows the error's kind alone: a client that was too slow would be a gateway's
    // fault.
    const int status = refusal_ != 0 && reply.status >= 400 ? refusal_ : reply.status;
    const bool bodiless = has_no_body(status);
    auto text = render_head({.status = status,
                             .framing = bodiless ? BodyFraming::none : BodyFraming::length,
                             .length = reply.body.size(),
                             .keep_alive = keeps_alive_,
                             .to_http_1_0 = reader_.is_http_1_0()},
                            reply.headers);
    status_ = status; // from here on the client may have seen some of it
    const bool with_body = !bodiless && !wants_no_body_;
    const bool together = with_body && reply.body.size() <= longest_copied;
    if (together) text += reply.body;
    stream_.write(text);
    if (with_body && !together) stream_.write(reply.body);
    finished_ = true;
}

void ServedExchange::start(int status, const HeaderList& headers) {
    begin();
    chunked_ = !reader_.is_http_1_0();
    const bool closes =
        std::find(headers.begin(), headers.end(),
                  std::pair<std::string, std::string>("Connection", "close")) != headers.end();
    if (!chunked_ || closes) keeps_alive_ = false;
    const auto text = render_head({.status = status,
                                   .framing = chunked_ ? BodyFraming::chunked : BodyFraming::close,
                                   .keep_alive = keeps_alive_,
                                   .to_http_1_0 = reader_.is_http_1_0()},
                                  headers);
    status_ = status;
    stream_.write(text);
}

void ServedExchange::write(std::string_view bytes) {
    if (bytes.empty() || wants_no_body_) return; // an empty chunk would be the last one
    if (chunked_)
        stream_.write(render_chunk(bytes));
    else
        stream_.write(bytes);
}

void ServedExchange::finish() {
    if (std::exchange(finished_, true)) return;
    if (chunked_ && !wants_no_body_) stream_.write(render_chunk({}));
}

Exchange::Framing ServedExchange::framing() const {
    return chunked_ ? Framing::chunked : Framing::plain;
}

std::unique_ptr<Connection> ServedExchange::hand_over() {
    finished_ = taken_ = true;
    return with_early_bytes(stream_.take(), reader_.take_rest());
}

std::unique_ptr<Connection> ServedExchange::take() {
    if (!is_started() || finished_)
        throw base::Error(base::ErrorKind::internal, "only a started answer can be handed over");
    if (!wants_no_body_) return hand_over();
    finished_ = true;
    return nullptr;
}

bool ServedExchange::settle() {
    if (stream_.is_broken() || !keeps_alive_ || !finished_) return false;
    char dropped[4096];
    while (!reader_.body_is_over())
        if (reader_.read_body(dropped, sizeof dropped) == 0) return false;
    return true;
}

std::unique_ptr<Connection> ServedExchange::accept_websocket() {
    if (!asks_for_websocket(head_) || reader_.is_http_1_0()) return nullptr;
    const auto accept = websocket_accept_key(head_);
    begin();
    const auto text = render_head(
        {.status = 101, .framing = BodyFraming::none},
        {{"Upgrade", "websocket"}, {"Connection", "Upgrade"}, {"Sec-WebSocket-Accept", accept}});
    status_ = 101;
    stream_.write(text);
    return hand_over();
}

} // namespace http
