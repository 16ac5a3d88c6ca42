#include "remote.h"

#include "base/error.h"
#include "base/text.h"

#include <algorithm>
#include <cctype>

namespace sources {
namespace {

using base::Error;
using base::ErrorKind;

constexpr int git_port = 9418;

[[noreturn]] void refuse(const GitUrl& git, const std::string& why, std::string hint = {}) {
    throw Error(ErrorKind::invalid_input, base::quoted(shown(git)) + " " + why, std::move(hint));
}

struct Parts {
    std::string scheme, user, authority, path; // path with its slash
};

Parts split(const std::string& url, const GitUrl& git) {
    Parts parts;
    const auto scheme = url.find("://");
    if (scheme == url.npos) { // git@host:path
        const auto at = url.find('@'), colon = url.find(':', at);
        const auto path = url.substr(colon + 1);
        return {"ssh", "", url.substr(at + 1, colon - at - 1),
                path.starts_with('/') ? path : "/" + path};
    }
    parts.scheme = url.substr(0, scheme);
    std::transform(parts.scheme.begin(), parts.scheme.end(), parts.scheme.begin(),
                   [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
    const auto slash = url.find('/', scheme + 3);
    if (slash == url.npos || slash + 1 == url.size()) refuse(git, "names no repository");
    parts.authority = url.substr(scheme + 3, slash - scheme - 3);
    parts.path = url.substr(slash);
    if (const auto at = parts.authority.rfind('@'); at != parts.authority.npos) {
        parts.user = parts.authority.substr(0, at);
        parts.authority.erase(0, at + 1);
    }
    return parts;
}

void replace_scheme(Parts& parts, Remote& remote, const GitUrl& git) {
    if (parts.scheme == "ssh") {
        if (parts.authority.ends_with(":22")) parts.authority.resize(parts.authority.size() - 3);
        if (parts.authority.find(':') != std::string::npos)
            refuse(git, "cannot be reached: there is no SSH key for it here",
                   "Name its https:// address.");
        parts.user.clear();
        parts.scheme = "https";
        remote.note = "read over https: there is no SSH key here";
    }
    if (parts.scheme == "git" && parts.authority == "github.com") {
        parts.scheme = "https";
        remote.note = "read over https: GitHub no longer answers git://";
    }
}

int value_of(char c) {
    if (c >= '0' && c <= '9') return c - '0';
    c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

std::string percent_decode(std::string_view text) {
    std::string decoded;
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (text[i] == '%' && i + 2 < text.size() && value_of(text[i + 1]) >= 0 &&
            value_of(text[i + 2]) >= 0) {
            decoded += static_cast<char>(value_of(text[i + 1]) * 16 + value_of(text[i + 2]));
            i += 2;
        } else {
            decoded += text[i];
        }
    }
    return decoded;
}

std::string base64(std::string_view text) {
    constexpr char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    std::string encoded;
    for (std::size_t i = 0; i < text.size(); i += 3) {
        const auto left = std::min<std::size_t>(3, text.size() - i);
        unsigned group = 0;
        for (std::size_t k = 0; k < 3; ++k)
            group = group << 8 | (k < left ? static_cast<unsigned char>(text[i + k]) : 0u);
        for (std::size_t k = 0; k < 4; ++k)
            encoded += k <= left ? digits[group >> (18 - 6 * k) & 63] : '=';
    }
    return encoded;
}

} // namespace

std::string basic_authorization(std::string_view user_and_word) {
    if (user_and_word.empty()) return {};
    auto decoded = percent_decode(user_and_word);
    if (decoded.find(':') == decoded.npos) decoded += ':'; // a token alone
    return "Basic " + base64(decoded);
}

Remote remote_of(const GitUrl& git) {
    // Of a .gitmodules file, for one, which nobody has looked at yet.
    if (std::any_of(git.url.begin(), git.url.end(),
                    [](unsigned char c) { return c <= ' ' || c == 0x7f; }))
        refuse(git, "has a blank or a control character in it");
    Remote remote;
    auto parts = split(git.url, git);
    replace_scheme(parts, remote, git);
    if (parts.scheme != "http" && parts.scheme != "https" && parts.scheme != "git")
        refuse(git, "is not an address of a git repository that is spoken here",
               "Use https://host/path.");
    remote.authorization = basic_authorization(parts.user);
    remote.url = parts.scheme + "://" + parts.authority + parts.path;
    remote.host = http::parse_url((parts.scheme == "git" ? "http" : parts.scheme) + "://" +
                                  parts.authority + parts.path);
    if (parts.scheme == "git" && remote.host.port == 80) remote.host.port = git_port;
    return remote;
}

std::string Remote::id() const {
    return readable_id(url.substr(url.find("://") + 3));
}

std::string readable_id(std::string_view address) {
    address = address.substr(0, address.find_first_of("?#"));
    while (address.ends_with('/')) address.remove_suffix(1);
    if (address.ends_with(".git")) address.remove_suffix(4);
    std::string id;
    for (const unsigned char c : address) {
        const auto lower = static_cast<char>(std::tolower(c));
        const bool fits = (lower >= 'a' && lower <= 'z') || (lower >= '0' && lower <= '9') ||
                          lower == '.' || lower == '/' || lower == '-';
        id += fits ? lower : '-';
    }
    return id;
}

} // namespace sources
