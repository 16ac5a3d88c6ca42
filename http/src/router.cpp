#include "http/router.h"

#include "target.h"

#include "base/text.h"

#include <algorithm>
#include <string_view>
#include <utility>

namespace http {
namespace {

std::vector<std::string_view> segments_of(std::string_view path) {
    std::vector<std::string_view> segments;
    while (path.starts_with('/')) {
        path.remove_prefix(1);
        const auto segment = path.substr(0, path.find('/'));
        segments.push_back(segment);
        path.remove_prefix(segment.size());
    }
    return segments;
}

bool is_parameter(std::string_view segment) {
    return segment.starts_with('{') && segment.ends_with('}');
}

bool same_shape(std::string_view one, std::string_view other) {
    const auto a = segments_of(one), b = segments_of(other);
    return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                      [](auto x, auto y) { return is_parameter(x) ? is_parameter(y) : x == y; });
}

// A literal before a parameter, from the left: "/builds/last" wins over "/builds/{build}".
bool is_more_special(std::string_view one, std::string_view other) {
    const auto a = segments_of(one), b = segments_of(other);
    return std::lexicographical_compare(a.begin(), a.end(), b.begin(), b.end(), [](auto x, auto y) {
        return !is_parameter(x) && is_parameter(y);
    });
}

// A parameter is one name: not a path, nor a step up, nor what would cut a C string.
std::vector<std::string> decode_segments(std::string_view path) {
    std::vector<std::string> decoded;
    for (const auto segment : segments_of(path)) {
        auto text = percent_decode(segment, Plus::plus);
        const bool odd = !text || std::any_of(text->begin(), text->end(), [](char c) {
            return c == '/' || static_cast<unsigned char>(c) < 0x20 || c == 0x7f;
        });
        if (odd)
            throw base::Error(base::ErrorKind::invalid_input,
                              base::quoted(segment.substr(0, 100)) +
                                  " is not a segment of a URL's path");
        decoded.push_back(std::move(*text));
    }
    return decoded;
}

// Every pattern is held against every request's path: nothing is copied.
bool matches(std::string_view pattern, const std::vector<std::string>& path) {
    for (const auto& segment : path) {
        if (!pattern.starts_with('/')) return false;
        pattern.remove_prefix(1);
        const auto part = pattern.substr(0, pattern.find('/'));
        pattern.remove_prefix(part.size());
        if (!is_parameter(part) ? part != segment
                                : segment.empty() || segment == "." || segment == "..")
            return false;
    }
    return pattern.empty();
}

} // namespace

MethodNotAllowed::MethodNotAllowed(std::string allowed_methods)
    : Error(base::ErrorKind::invalid_input, "this path takes " + allowed_methods + " alone"),
      allowed_(std::move(allowed_methods)) {}

void Router::add(std::string method, std::string pattern, Handler handler) {
    for (const auto& route : routes_)
        if (route.method == method && same_shape(route.pattern, pattern))
            throw base::Error(base::ErrorKind::internal,
                              "two handlers for " + method + " " + pattern);
    routes_.push_back({std::move(method), std::move(pattern)});
    handlers_.push_back(std::move(handler));
}

void Router::answer(Exchange& exchange, const base::Stop& stop) const {
    const auto& head = exchange.head();
    const auto path = decode_segments(head.path);
    const auto wanted = head.method == "HEAD" ? std::string("GET") : head.method;
    std::string_view best; // the pattern that the path has, whatever the method
    const Handler* found = nullptr;
    std::string allowed;
    for (std::size_t i = 0; i < routes_.size(); ++i) {
        const auto& [method, pattern] = routes_[i];
        if (!matches(pattern, path)) continue;
        if (best.empty() || is_more_special(pattern, best)) {
            best = pattern;
            found = nullptr;
            allowed.clear();
        } else if (is_more_special(best, pattern)) {
            continue;
        }
        if (method == wanted) found = &handlers_[i];
        allowed += (allowed.empty() ? "" : ", ") + method + (method == "GET" ? ", HEAD" : "");
    }
    if (best.empty())
        throw base::Error(base::ErrorKind::not_found,
                          "there is nothing at " + base::quoted(head.path.substr(0, 200)));
    if (!found) throw MethodNotAllowed(allowed);
    const auto parts = segments_of(best);
    for (std::size_t i = 0; i < parts.size(); ++i)
        if (is_parameter(parts[i]))
            exchange.parameters[std::string(parts[i].substr(1, parts[i].size() - 2))] = path[i];
    (*found)(exchange, stop);
}

} // namespace http
