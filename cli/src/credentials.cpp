#include "credentials.h"

#include "base/fd.h"
#include "base/text.h"

#include <nlohmann/json.hpp>

#include <cstdlib>
#include <sys/stat.h>
#include <unistd.h>

namespace cli {

namespace fs = std::filesystem;
using base::Error;
using base::ErrorKind;
using base::json::Value;

namespace {

constexpr std::size_t longest_file = 1u << 20;

void check_owner_and_mode(const fs::path& file) {
    struct stat info {};
    if (::stat(file.c_str(), &info) != 0) base::throw_errno("cannot look at " + file.string());
    if (info.st_uid != ::geteuid() && info.st_uid != 0)
        throw Error(ErrorKind::denied, file.string() + " belongs to somebody else",
                    "Its owner could have put any server and any token there.");
    if (info.st_mode & 077)
        throw Error(ErrorKind::denied, "others may read or change " + file.string(),
                    "It holds tokens: chmod 600 " + file.string() +
                        ", and make new ones if others are on this machine.");
}

} // namespace

fs::path Credentials::usual_file() {
    const char* config = std::getenv("XDG_CONFIG_HOME");
    const char* home = std::getenv("HOME");
    const auto folder = config && *config == '/'
                            ? fs::path(config)
                            : fs::path(home && *home ? home : "/root") / ".config";
    return folder / "slipway" / "credentials.json";
}

Credentials Credentials::read(const fs::path& file) {
    Credentials credentials;
    if (!fs::exists(file)) return credentials;
    check_owner_and_mode(file);
    const auto value = base::json::parse(base::read_file(file, longest_file), file.string());
    try {
        credentials.default_url_ = base::json::find_string(value, "default").value_or("");
        for (const auto& [url, login] : value.at("servers").items())
            credentials.logins_[url] = {base::Secret(login.at("token").get<std::string>()),
                                        base::json::find_string(login, "ca_file").value_or("")};
    } catch (const Value::exception&) {
        throw Error(ErrorKind::invalid_input, file.string() + " holds no logins",
                    "Remove it, and log in again: slipway login URL");
    }
    return credentials;
}

void Credentials::write(const fs::path& file) const {
    auto servers = Value::object();
    for (const auto& [url, login] : logins_) {
        servers[url] = {{"token", login.token.reveal()}};
        if (!login.ca_file.empty()) servers[url]["ca_file"] = login.ca_file;
    }
    Value value{{"servers", servers}};
    if (!default_url_.empty()) value["default"] = default_url_;
    if (fs::create_directories(file.parent_path()))
        fs::permissions(file.parent_path(), fs::perms::owner_all);
    base::replace_file(file, value.dump(2) + "\n", 0600);
}

void Credentials::add(const std::string& url, Login login) {
    logins_[url] = std::move(login);
    default_url_ = url;
}

bool Credentials::remove(const std::string& url) {
    if (logins_.erase(url) == 0) return false;
    // With one left there is no doubt which; among several the person says it by a login.
    if (default_url_ == url) default_url_ = logins_.size() == 1 ? logins_.begin()->first : "";
    return true;
}

std::optional<Login> Credentials::find(const std::string& url) const {
    const auto found = logins_.find(url);
    if (found == logins_.end()) return std::nullopt;
    return found->second;
}

namespace {

Endpoint remote(const std::string& url, const EndpointWish& wish,
                const std::function<Credentials()>& read_credentials) {
    Endpoint endpoint{.url = url, .token = wish.token, .ca_file = wish.ca_file};
    if (!endpoint.token.empty() && !endpoint.ca_file.empty()) return endpoint;
    const auto login = read_credentials().find(url);
    if (endpoint.token.empty() && !login)
        throw Error(ErrorKind::unauthenticated, "you are not logged in to " + url,
                    "slipway login " + url + ", or a token in SLIPWAY_TOKEN.");
    if (endpoint.token.empty()) endpoint.token = login->token;
    if (endpoint.ca_file.empty() && login) endpoint.ca_file = login->ca_file;
    return endpoint;
}

} // namespace

Endpoint choose_endpoint(const EndpointWish& wish,
                         const std::function<Credentials()>& read_credentials) {
    if (!wish.server.empty() && wish.server != "local" && !wish.socket.empty())
        throw Error(ErrorKind::invalid_input, "--server and --socket exclude each other");
    const bool said_local = !wish.socket.empty() || wish.state_given;
    auto server = wish.server;
    if (server.empty() && !said_local) server = wish.server_variable;
    if (server.empty() && !said_local && !wish.state_variable)
        server = read_credentials().default_url();
    if (server.empty() || server == "local") return {.socket = wish.control};
    return remote(normalize_server_url(server), wish, read_credentials);
}

} // namespace cli
