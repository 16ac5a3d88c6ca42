#include "image/reference.h"

#include "base/error.h"
#include "base/text.h"

#include <algorithm>

namespace image {
namespace {

bool is_lower_alnum(char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}
bool is_alnum(char c) {
    return is_lower_alnum(c) || (c >= 'A' && c <= 'Z');
}

[[noreturn]] void refuse(std::string_view text, const std::string& why) {
    throw base::Error(base::ErrorKind::invalid_input,
                      base::quoted(text.substr(0, 300)) + " is not an image reference: " + why,
                      "Write it as host[:port]/path/name[:tag] or with @sha256:... at its end.");
}

// distribution-spec: [a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*
bool is_path_part(std::string_view part) {
    std::size_t i = 0;
    const auto alnums = [&] {
        const std::size_t start = i;
        while (i < part.size() && is_lower_alnum(part[i])) ++i;
        return i > start;
    };
    if (!alnums()) return false;
    while (i < part.size()) {
        if (part[i] == '.') {
            ++i;
        } else if (part[i] == '_') {
            i += part.substr(i).starts_with("__") ? 2 : 1;
        } else if (part[i] == '-') {
            while (i < part.size() && part[i] == '-') ++i;
        } else {
            return false;
        }
        if (!alnums()) return false;
    }
    return true;
}

bool is_repository(std::string_view path) {
    while (true) {
        const auto slash = path.find('/');
        if (!is_path_part(path.substr(0, slash))) return false;
        if (slash == path.npos) return true;
        path.remove_prefix(slash + 1);
    }
}

bool is_tag(std::string_view tag) {
    if (tag.empty() || tag.size() > 128) return false;
    if (!is_alnum(tag[0]) && tag[0] != '_') return false;
    return std::all_of(tag.begin(), tag.end(),
                       [](char c) { return is_alnum(c) || c == '_' || c == '.' || c == '-'; });
}

bool is_port(std::string_view port) {
    return !port.empty() && port.size() <= 5 &&
           std::all_of(port.begin(), port.end(), [](char c) { return c >= '0' && c <= '9'; }) &&
           std::stoi(std::string(port)) <= 65535;
}

bool is_host(std::string_view host) {
    if (host.starts_with('[')) { // an IPv6 address
        const auto end = host.find(']');
        if (end == host.npos || end < 3) return false;
        const auto address = host.substr(1, end - 1);
        const auto rest = host.substr(end + 1);
        const bool hex = std::all_of(address.begin(), address.end(),
                                     [](char c) { return is_alnum(c) || c == ':' || c == '.'; });
        return hex && (rest.empty() || (rest[0] == ':' && is_port(rest.substr(1))));
    }
    const auto colon = host.find(':');
    if (colon != host.npos && !is_port(host.substr(colon + 1))) return false;
    std::string_view name = host.substr(0, colon);
    while (true) {
        const auto dot = name.find('.');
        const auto label = name.substr(0, dot);
        if (label.empty() || label.front() == '-' || label.back() == '-') return false;
        if (!std::all_of(label.begin(), label.end(),
                         [](char c) { return is_alnum(c) || c == '-'; }))
            return false;
        if (dot == name.npos) return true;
        name.remove_prefix(dot + 1);
    }
}

// What tells "example.org/app" from "library/app": the rule that every client shares.
bool looks_like_host(std::string_view first) {
    return first == "localhost" || first.find_first_of(".:[") != first.npos ||
           std::any_of(first.begin(), first.end(), [](char c) { return c >= 'A' && c <= 'Z'; });
}

} // namespace

Reference Reference::parse(std::string_view text) {
    Reference result;
    std::string_view rest = text;
    if (text.size() > 600) refuse(text, "it is too long");
    if (const auto at = rest.find('@'); at != rest.npos) {
        result.digest = Digest::parse(rest.substr(at + 1));
        rest = rest.substr(0, at);
    }
    const auto colon = rest.rfind(':');
    if (colon != rest.npos && rest.find('/', colon) == rest.npos) {
        // "host:5000" alone has its colon where a tag would be; it has no repository either way.
        if (!is_tag(rest.substr(colon + 1)))
            refuse(text, base::quoted(rest.substr(colon + 1)) + " is not a tag");
        result.tag = std::string(rest.substr(colon + 1));
        rest = rest.substr(0, colon);
    }
    const auto slash = rest.find('/');
    if (slash != rest.npos && looks_like_host(rest.substr(0, slash))) {
        result.registry = std::string(rest.substr(0, slash));
        rest.remove_prefix(slash + 1);
        if (!is_host(result.registry))
            refuse(text, base::quoted(result.registry) + " is not a host");
        if (result.registry == "index.docker.io") result.registry = "docker.io";
    } else {
        result.registry = "docker.io";
    }
    result.repository = std::string(rest);
    if (result.registry == "docker.io" && rest.find('/') == rest.npos)
        result.repository = "library/" + result.repository;
    if (!is_repository(result.repository))
        refuse(text, base::quoted(rest) + " is not a repository name (lower-case letters, digits "
                                          "and single . _ - between them)");
    if (result.registry.size() + 1 + result.repository.size() > 255)
        refuse(text, "host and repository have more than 255 characters");
    return result;
}

std::string Reference::render() const {
    std::string text = registry + "/" + repository;
    if (tag) text += ":" + *tag;
    if (digest) text += "@" + digest->render();
    return text;
}

Reference Reference::with_tag(std::string new_tag) const {
    if (!is_tag(new_tag)) refuse(new_tag, "that is not a tag");
    return {registry, repository, std::move(new_tag), std::nullopt};
}

Reference Reference::with_digest(const Digest& of) const {
    return {registry, repository, std::nullopt, of};
}

} // namespace image
