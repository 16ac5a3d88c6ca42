#include "remotes/git.h"

#include "base/text.h"
#include "http/outgoing.h"

#include <algorithm>
#include <cstdlib>
#include <sstream>

namespace remotes {
namespace {

bool says(const std::string& error, std::initializer_list<const char*> words) {
    return std::any_of(words.begin(), words.end(),
                       [&](const char* word) { return error.find(word) != error.npos; });
}

} // namespace

Git::Git(std::string protocols, std::uint64_t most_bytes)
    : most_bytes_(most_bytes), configuration_{
                                   {"core.hooksPath", "/dev/null"},
                                   {"core.fsmonitor", "false"},
                                   {"core.autocrlf", "false"},
                                   {"core.attributesFile", "/dev/null"},
                                   {"credential.helper", ""},
                                   {"fetch.unpackLimit", "1"},
                                   {"gc.auto", "0"},
                                   {"submodule.recurse", "false"},
                                   {"safe.directory", "*"},
                                   {"http.followRedirects", "false"},
                                   {"http.lowSpeedLimit", "1"},
                                   {"http.lowSpeedTime", "60"},
                               } {
    const char* path = std::getenv("PATH");
    set_variable("PATH", path ? path : "/usr/bin:/bin");
    set_variable("HOME", "/nonexistent");
    set_variable("LC_ALL", "C");
    set_variable("GIT_CONFIG_NOSYSTEM", "1");
    set_variable("GIT_CONFIG_GLOBAL", "/dev/null");
    set_variable("GIT_TERMINAL_PROMPT", "0");
    set_variable("GIT_ALLOW_PROTOCOL", std::move(protocols));
}

Git& Git::configure(std::string key, std::string value) {
    configuration_.emplace_back(std::move(key), std::move(value));
    return *this;
}

Git& Git::set_variable(std::string name, std::string value) {
    environment_.push_back(std::move(name) + "=" + std::move(value));
    return *this;
}

Git& Git::call(const http::Url& host, const std::vector<std::string>& addresses,
               const std::filesystem::path& ca_file, const std::string& authorization) {
    if (!addresses.empty()) configure("http.curloptResolve", http::pin_of(host, addresses));
    if (!ca_file.empty()) {
        configure("http.sslCAInfo", ca_file);
        configure("http.sslCAPath", "/etc/ssl/certs");
    }
    if (!authorization.empty())
        configure("http." + host.origin() + "/.extraHeader", "Authorization: " + authorization);
    return *this;
}

Git& Git::run_as(std::optional<std::pair<unsigned, unsigned>> user) {
    user_ = user;
    return *this;
}

base::Captured Git::run(std::vector<std::string> arguments, const base::Stop& stop,
                        std::size_t limit) const {
    base::Command command{
        .argv = {"prlimit", "--fsize=" + std::to_string(most_bytes_)},
        .environment = environment_,
        .run_as = user_,
    };
    if (user_) command.argv.push_back(memory_limit);
    command.argv.push_back("git");
    auto& environment = command.environment;
    environment.push_back("GIT_CONFIG_COUNT=" + std::to_string(configuration_.size()));
    for (std::size_t i = 0; i < configuration_.size(); ++i) {
        environment.push_back("GIT_CONFIG_KEY_" + std::to_string(i) + "=" +
                              configuration_[i].first);
        environment.push_back("GIT_CONFIG_VALUE_" + std::to_string(i) + "=" +
                              configuration_[i].second);
    }
    for (auto& argument : arguments) command.argv.push_back(std::move(argument));
    return base::run(std::move(command), stop, {}, limit);
}

GitFault fault_of(const base::Captured& result) {
    const auto& error = result.error;
    // index-pack that prlimit ended says nothing itself.
    if (result.status.signal != 0 ||
        says(error, {"File size limit exceeded", "died of signal 25"}) ||
        base::trim(error) == "fatal: fetch-pack: invalid index-pack output")
        return GitFault::too_large;
    if (says(error, {"Host key verification failed", "REMOTE HOST IDENTIFICATION HAS CHANGED",
                     "no matching host key type"}))
        return GitFault::host_key;
    if (says(error, {"Permission denied", "publickey"})) return GitFault::key_refused;
    if (says(error, {"error: 301", "error: 302", "error: 303", "error: 307", "error: 308"}))
        return GitFault::redirected;
    if (says(error, {"could not read Username", "could not read Password", "Authentication failed",
                     "error: 401", "error: 403", "error: 404", "error: 410", "not found",
                     "not valid: is this a git repository", "does not appear to be a git",
                     "repository not exported"}))
        return GitFault::no_repository;
    if (says(error, {"not our ref", "unadvertised object", "couldn't find remote"}))
        return GitFault::no_such_ref;
    if (says(error, {"fsck error"})) return GitFault::damaged;
    if (says(error, {"Could not resolve", "Failed to connect", "Couldn't connect"}))
        return GitFault::unreachable;
    return GitFault::other;
}

std::string reason_of(const base::Captured& result) {
    std::istringstream lines(result.error);
    std::string reason, line;
    while (std::getline(lines, line))
        if (line.starts_with("fatal: ") || (reason.empty() && line.starts_with("error: ")))
            reason = line.substr(7);
    if (reason.empty()) reason = base::trim(result.error.substr(0, 300));
    return base::printable(reason.substr(0, 500));
}

} // namespace remotes
