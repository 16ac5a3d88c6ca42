#include "reply_text.h"

#include "base/text.h"

#include <algorithm>
#include <boost/beast/core/string.hpp>
#include <boost/beast/http/status.hpp>
#include <ctime>
#include <fmt/core.h>

namespace http {
namespace {

// Rendered once a second for each thread.
const std::string& date_now() {
    thread_local std::time_t of = 0;
    thread_local std::string text;
    const std::time_t now = std::time(nullptr);
    if (now == of) return text;
    std::tm utc{};
    ::gmtime_r(&now, &utc);
    constexpr const char* days[] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
    constexpr const char* months[] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                      "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
    text = fmt::format("{}, {:02} {} {} {:02}:{:02}:{:02} GMT", days[utc.tm_wday], utc.tm_mday,
                       months[utc.tm_mon], utc.tm_year + 1900, utc.tm_hour, utc.tm_min, utc.tm_sec);
    of = now;
    return text;
}

bool is_about_framing(const std::string& name) {
    for (const std::string_view ours :
         {"content-length", "transfer-encoding", "connection", "date"})
        if (boost::beast::iequals(name, {ours.data(), ours.size()})) return true;
    return false;
}

} // namespace

bool has_no_body(int status) noexcept {
    return status < 200 || status == 204 || status == 304;
}

std::string render_head(const AnswerHead& answer, const HeaderList& headers) {
    const auto reason =
        boost::beast::http::obsolete_reason(static_cast<boost::beast::http::status>(answer.status));
    std::string text = fmt::format("HTTP/1.1 {} {}\r\nDate: {}\r\n", answer.status,
                                   std::string_view(reason.data(), reason.size()), date_now());
    for (const auto& [name, value] : headers) {
        if (answer.status != 101 && is_about_framing(name)) continue; // an upgrade has its own
        if (name.empty() || name.find_first_of(std::string_view(":\r\n \0", 5)) != name.npos ||
            value.find_first_of(std::string_view("\r\n\0", 3)) != value.npos)
            throw base::Error(base::ErrorKind::internal,
                              "the header " + base::quoted(name) + " would break the answer");
        text.append(name).append(": ").append(value).append("\r\n");
    }
    if (answer.framing == BodyFraming::length)
        fmt::format_to(std::back_inserter(text), "Content-Length: {}\r\n", answer.length);
    if (answer.framing == BodyFraming::chunked) text += "Transfer-Encoding: chunked\r\n";
    if (!answer.keep_alive)
        text += "Connection: close\r\n";
    else if (answer.to_http_1_0)
        text += "Connection: keep-alive\r\n";
    return text += "\r\n";
}

std::string render_chunk(std::string_view bytes) {
    if (bytes.empty()) return "0\r\n\r\n";
    return fmt::format("{:x}\r\n{}\r\n", bytes.size(), bytes);
}

} // namespace http
