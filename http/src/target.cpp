#include "target.h"

#include "stream.h"

#include "http/form.h"

#include "base/text.h"

#include <algorithm>

namespace http {
namespace {

int hex(char c) {
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    return -1;
}

[[noreturn]] void refuse(std::string_view part) {
    throw BadRequest(400, base::ErrorKind::invalid_input,
                     base::quoted(part.substr(0, 100)) + " is not part of a URL",
                     "Percent-encode what is not a letter or a digit.");
}

std::string decode_or_refuse(std::string_view part) {
    auto decoded = percent_decode(part, Plus::space);
    if (!decoded || decoded->find('\0') != decoded->npos) refuse(part);
    return std::move(*decoded);
}

// RFC 9112 section 3.2.2: a server accepts the absolute form, too.
std::string_view without_authority(std::string_view target) {
    for (const std::string_view scheme : {"http://", "https://"}) {
        if (!target.starts_with(scheme)) continue;
        target.remove_prefix(scheme.size());
        const auto end = target.find_first_of("/?");
        if (end == 0) refuse(target);
        return end == target.npos ? std::string_view() : target.substr(end);
    }
    return target;
}

} // namespace

std::optional<std::string> percent_decode(std::string_view text, Plus plus) {
    std::string decoded;
    decoded.reserve(text.size());
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (text[i] == '+' && plus == Plus::space) {
            decoded += ' ';
        } else if (text[i] != '%') {
            decoded += text[i];
        } else {
            const int high = i + 2 < text.size() ? hex(text[i + 1]) : -1;
            const int low = high >= 0 ? hex(text[i + 2]) : -1;
            if (low < 0) return std::nullopt;
            decoded += static_cast<char>(high * 16 + low);
            i += 2;
        }
    }
    return decoded;
}

void parse_target(RequestHead& head) {
    auto target = without_authority(head.target);
    if (const auto fragment = target.find('#'); fragment != target.npos) refuse(target);
    const auto mark = target.find('?');
    head.path = target.substr(0, mark);
    if (head.path.empty() && target.size() != head.target.size()) head.path = "/";
    const bool asterisk = head.path == "*" && head.method == "OPTIONS";
    if (!head.path.starts_with('/') && !asterisk) refuse(head.target);
    for (auto& [name, value] : parse_form(query_of(target))) head.query[name] = std::move(value);
}

std::string_view query_of(std::string_view target) {
    const auto mark = target.find('?');
    return mark == target.npos ? std::string_view() : target.substr(mark + 1);
}

Form parse_form(std::string_view text) {
    Form form;
    while (!text.empty()) {
        const auto pair = text.substr(0, text.find('&'));
        text.remove_prefix(std::min(text.size(), pair.size() + 1));
        if (pair.empty()) continue;
        const auto equals = pair.find('=');
        form.emplace_back(decode_or_refuse(pair.substr(0, equals)),
                          equals == pair.npos ? std::string()
                                              : decode_or_refuse(pair.substr(equals + 1)));
    }
    return form;
}

} // namespace http
