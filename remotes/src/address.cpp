#include "address.h"

#include "remotes/repository.h"

#include "base/error.h"
#include "base/text.h"

#include <algorithm>
#include <cctype>
#include <charconv>

namespace remotes {
namespace {

using base::Error;
using base::ErrorKind;

[[noreturn]] void refuse(std::string_view url, const std::string& why) {
    throw Error(ErrorKind::invalid_input, base::quoted(url) + " " + why,
                "Repositories have addresses such as https://host/owner/repo.git or "
                "ssh://git@host/owner/repo.git.");
}

// Nothing that a shell, ssh or git could take for something else than a name.
bool is_plain(std::string_view word, std::string_view also) {
    return !word.empty() && word.front() != '-' &&
           std::all_of(word.begin(), word.end(), [&](unsigned char c) {
               return std::isalnum(c) || also.find(static_cast<char>(c)) != also.npos;
           });
}

void check_path(std::string_view url, std::string_view path) {
    if (path.size() < 2) refuse(url, "names no repository");
    if (path.find("..") != path.npos || path.find_first_of("?#%") != path.npos)
        refuse(url, "is not a plain address");
}

// "host[:port]" or "[v6][:port]"
void read_host(std::string_view url, std::string_view text, SshAddress& address) {
    std::string_view port;
    if (text.starts_with('[')) {
        const auto end = text.find(']');
        if (end == text.npos) refuse(url, "has no whole host in it");
        address.host = text.substr(1, end - 1);
        port = text.substr(end + 1);
        if (address.host.find_first_not_of("0123456789abcdef:.") != std::string::npos)
            refuse(url, "has no host in it");
    } else {
        const auto colon = std::min(text.find(':'), text.size());
        address.host = text.substr(0, colon);
        port = text.substr(colon);
        if (!is_plain(address.host, ".-_")) refuse(url, "has no host in it");
    }
    if (port.empty()) return;
    port.remove_prefix(1);
    const auto [end, error] = std::from_chars(port.data(), port.data() + port.size(), address.port);
    if (error != std::errc() || end != port.data() + port.size() || address.port < 1 ||
        address.port > 65535)
        refuse(url, "has no port after its host");
}

} // namespace

std::string SshAddress::known_as() const {
    return port == 22 ? host : "[" + host + "]:" + std::to_string(port);
}

std::string SshAddress::url() const {
    const auto shown = host.find(':') == std::string::npos ? host : "[" + host + "]";
    return "ssh://" + user + "@" + shown + (port == 22 ? "" : ":" + std::to_string(port)) + path;
}

SshAddress parse_ssh(std::string_view url) {
    constexpr std::string_view scheme = "ssh://";
    SshAddress address;
    std::string_view authority;
    if (url.starts_with(scheme)) {
        const auto slash = std::min(url.find('/', scheme.size()), url.size());
        authority = url.substr(scheme.size(), slash - scheme.size());
        address.path = url.substr(slash);
    } else {
        const auto at = std::min(url.find('@'), url.size());
        const auto bracket = url.substr(at).starts_with("@[") ? url.find(']', at) : at;
        const auto colon = std::min(url.find(':', std::min(bracket, url.size())), url.size());
        authority = url.substr(0, colon);
        const auto path = url.substr(std::min(colon + 1, url.size()));
        address.path = path.starts_with('/') ? std::string(path) : "/" + std::string(path);
    }
    const auto at = authority.rfind('@');
    address.user = at == authority.npos ? "git" : std::string(authority.substr(0, at));
    if (address.user.find(':') != std::string::npos) refuse(url, "has a password in it");
    if (!is_plain(address.user, ".-_")) refuse(url, "has no user name before its host");
    read_host(url, at == authority.npos ? authority : authority.substr(at + 1), address);
    check_path(url, address.path);
    return address;
}

bool is_ssh(std::string_view url) noexcept {
    return url.starts_with("ssh://");
}

std::string normal_url(std::string_view text) {
    const auto url = base::trim(text);
    if (url.size() > 1000 || std::any_of(url.begin(), url.end(), [](unsigned char c) {
            return c <= ' ' || c >= 0x7f || c == '\'' || c == '"' || c == '\\';
        }))
        refuse(url.substr(0, 100), "has a character in it that no address has");
    if (url.starts_with("https://") || url.starts_with("http://")) {
        const auto slash = std::min(url.find('/', url.find("//") + 2), url.size());
        if (url.find('@') < slash)
            refuse("https://...@" + url.substr(url.find('@') + 1),
                   "has a user name in it: give the token by itself");
        http::parse_url(url);
        check_path(url, std::string_view(url).substr(slash));
        return url;
    }
    if (url.find("://") != url.npos && !is_ssh(url))
        refuse(url, "is not an address that is spoken here");
    if (!is_ssh(url) && (url.find('@') == url.npos || url.find(':') == url.npos))
        refuse(url, "is not an address of a repository");
    return parse_ssh(url).url();
}

http::Url host_of(const std::string& url) {
    if (!is_ssh(url)) return http::parse_url(url);
    const auto address = parse_ssh(url);
    return {.scheme = "https", .host = address.host, .port = address.port};
}

} // namespace remotes
