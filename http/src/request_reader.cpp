#include "request_reader.h"

#include "target.h"

#include "base/text.h"

#include <algorithm>
#include <boost/asio/buffer.hpp>
#include <boost/beast/core/string.hpp>
#include <boost/beast/http/buffer_body.hpp>
#include <boost/beast/http/parser.hpp>
#include <cstring>

namespace http {
namespace {

namespace beast = boost::beast;
using beast::http::field;

// Room for the reads of a chunked body; pages that nobody writes to cost nothing.
constexpr std::size_t least_capacity = 64u << 10;

[[noreturn]] void refuse(int status, std::string message, std::string hint = {}) {
    throw BadRequest(status, base::ErrorKind::invalid_input, std::move(message), std::move(hint));
}

[[noreturn]] void refuse(const beast::error_code& error) {
    using E = beast::http::error;
    if (error == E::header_limit)
        throw BadRequest(431, base::ErrorKind::limit_exceeded,
                         "the request's headers are too long");
    if (error == E::bad_version) refuse(505, "only HTTP/1.0 and HTTP/1.1 are spoken here");
    refuse(400, "that is no HTTP request: " + error.message());
}

std::string lower(std::string_view text) {
    std::string result(text);
    std::transform(result.begin(), result.end(), result.begin(),
                   [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
    return result;
}

std::string_view view(beast::string_view text) {
    return {text.data(), text.size()};
}

} // namespace

struct RequestReader::Parser : beast::http::request_parser<beast::http::buffer_body> {};

RequestReader::RequestReader(Stream& stream, const ServerLimits& limits)
    : stream_(stream), limits_(limits), capacity_(std::max(limits.header_bytes, least_capacity)),
      buffer_(std::make_unique_for_overwrite<char[]>(capacity_)) {}

RequestReader::~RequestReader() = default;

void RequestReader::make_room() {
    if (begin_ == end_) begin_ = end_ = 0;
    if (end_ < capacity_ || begin_ == 0) return;
    std::memmove(buffer_.get(), buffer_.get() + begin_, end_ - begin_);
    end_ -= begin_;
    begin_ = 0;
}

// RFC 9112 section 2.2: an empty line before a request is nothing.
void RequestReader::skip_empty_line() {
    if (end_ - begin_ >= 2 && buffer_[begin_] == '\r' && buffer_[begin_ + 1] == '\n') begin_ += 2;
}

// Its second byte is still to come.
bool RequestReader::begins_empty_line() const {
    return end_ - begin_ == 1 && buffer_[begin_] == '\r';
}

bool RequestReader::read_head(RequestHead& head, const base::Stop& stop) {
    const auto deadline = stop.within(limits_.header_time);
    parser_ = std::make_unique<Parser>();
    parser_->header_limit(static_cast<std::uint32_t>(limits_.header_bytes));
    parser_->body_limit(boost::none); // the handler's business
    keeps_alive_ = expects_continue_ = chunked_ = false;
    body_left_ = 0;
    bool something = false;
    beast::error_code error = beast::http::error::need_more;
    while (!parser_->is_header_done()) {
        if (!something) skip_empty_line();
        if (begin_ < end_ && (something || !begins_empty_line())) {
            something = true;
            const auto used =
                parser_->put(boost::asio::buffer(buffer_.get() + begin_, end_ - begin_), error);
            begin_ += used;
            if (parser_->is_header_done()) break;
            if (error && error != beast::http::error::need_more) refuse(error);
        }
        make_room();
        if (end_ == capacity_) refuse(beast::http::error::header_limit);
        std::size_t n = 0;
        try {
            n = stream_.read(buffer_.get() + end_, capacity_ - end_, deadline);
        } catch (const base::Error& late) {
            if (!something || late.kind() != base::ErrorKind::timed_out) return false;
            throw BadRequest(408, late.kind(), "the request's head took too long");
        }
        if (n == 0) return false; // in the middle of a head: nobody reads an answer
        end_ += n;
    }
    parse_head(head);
    return true;
}

void RequestReader::parse_head(RequestHead& head) {
    const auto& message = parser_->get();
    head.method = view(message.method_string());
    head.target = view(message.target());
    version_1_0_ = message.version() < 11;
    for (const auto& entry : message)
        head.headers.emplace(lower(view(entry.name_string())), view(entry.value()));
    keeps_alive_ = parser_->keep_alive();
    check_fields(head);
    parse_target(head);
}

// What a proxy in front may have read otherwise is refused, not guessed.
void RequestReader::check_fields(RequestHead& head) {
    const auto& fields = head.headers;
    const auto lengths = fields.count("content-length");
    const auto codings = fields.count("transfer-encoding");
    if (lengths != 0 && codings != 0)
        refuse(400, "a request has either a Content-Length or a Transfer-Encoding");
    if (codings != 0) {
        if (version_1_0_) refuse(400, "HTTP/1.0 knows no Transfer-Encoding");
        if (codings > 1 || lower(fields.find("transfer-encoding")->second) != "chunked")
            refuse(501, "the only Transfer-Encoding taken here is \"chunked\"");
        chunked_ = true;
    }
    if (lengths != 0) {
        const auto& text = fields.find("content-length")->second;
        if (lengths > 1 || text.find_first_not_of("0123456789") != text.npos)
            refuse(400, "the Content-Length is not one number");
        body_left_ = parser_->content_length().value_or(0);
        head.content_length = body_left_;
    }
    if (fields.count("host") > 1 || (!version_1_0_ && fields.count("host") == 0))
        refuse(400, "a request has one Host header");
    if (const auto expect = fields.find("expect"); expect != fields.end() && !version_1_0_) {
        if (lower(expect->second) != "100-continue")
            refuse(417, "the only expectation met here is \"100-continue\"");
        expects_continue_ = !body_is_over() && !has_more();
    }
}

bool RequestReader::body_is_over() const noexcept {
    return chunked_ ? parser_->is_done() : body_left_ == 0;
}

bool RequestReader::body_is_short(std::size_t most) const noexcept {
    return !chunked_ && !expects_continue_ && body_left_ <= most;
}

std::size_t RequestReader::read_body(char* buffer, std::size_t size) {
    expects_continue_ = false;
    if (size == 0 || body_is_over()) return 0;
    if (chunked_) return read_chunks(buffer, size);
    size = static_cast<std::size_t>(std::min<std::uint64_t>(size, body_left_));
    std::size_t n;
    if (begin_ < end_) {
        n = std::min(size, end_ - begin_);
        std::memcpy(buffer, buffer_.get() + begin_, n);
        begin_ += n;
    } else {
        n = stream_.read_body(buffer, size); // past our buffer: an upload is copied once
    }
    body_left_ -= n;
    return n;
}

std::size_t RequestReader::read_chunks(char* buffer, std::size_t size) {
    auto& body = parser_->get().body();
    body.data = buffer;
    body.size = size;
    body.more = true;
    beast::error_code error;
    while (!parser_->is_done()) {
        std::size_t used = 0;
        if (begin_ < end_) {
            used = parser_->put(boost::asio::buffer(buffer_.get() + begin_, end_ - begin_), error);
            begin_ += used;
        }
        if (body.size < size) break;
        if (error && error != beast::http::error::need_more) refuse(error);
        if (used > 0 && !error) continue;
        make_room();
        if (end_ == capacity_) refuse(400, "a chunk's head or the trailer is too long");
        end_ += stream_.read_body(buffer_.get() + end_, capacity_ - end_);
    }
    body.data = nullptr;
    return size - body.size;
}

std::string RequestReader::take_rest() {
    std::string rest(buffer_.get() + begin_, end_ - begin_);
    begin_ = end_ = 0;
    return rest;
}

} // namespace http
