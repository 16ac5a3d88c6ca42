#include "session.h"

#include "address.h"

#include "base/crypto.h"
#include "base/error.h"
#include "base/fd.h"
#include "base/text.h"

#include <algorithm>
#include <cstdlib>
#include <sstream>
#include <unistd.h>

namespace remotes {
namespace {

using base::Error;
using base::ErrorKind;

bool says(const std::string& error, std::initializer_list<const char*> words) {
    return std::any_of(words.begin(), words.end(),
                       [&](const char* word) { return error.find(word) != error.npos; });
}

// git's own sentence among what it, ssh and the remote printed.
std::string reason_in(const std::string& error) {
    std::istringstream lines(error);
    std::string reason, line;
    while (std::getline(lines, line))
        if (line.starts_with("fatal: ") || (reason.empty() && line.starts_with("error: ")))
            reason = line.substr(7);
    if (reason.empty()) reason = base::trim(error.substr(0, 300));
    return base::printable(reason.substr(0, 500));
}

// Forges take any user name beside a token; GitHub asks for one.
std::string authorization(const std::string& token) {
    const auto pair = token.find(':') == token.npos ? "x-access-token:" + token : token;
    return "Authorization: Basic " + base::base64_encode(pair);
}

std::string in_shell_quotes(const std::string& word) {
    std::string quoted = "'";
    for (const char c : word) quoted += c == '\'' ? std::string("'\\''") : std::string(1, c);
    return quoted + "'";
}

} // namespace

Session::Session(const Repository& repository, const Settings& settings, const base::Stop& stop)
    : repository_(repository), settings_(settings), stop_(stop), files_("git-", settings.scratch) {
    const auto host = host_of(repository.url);
    if (host.scheme == "http" && !http::is_allowed(settings.policy, host.host, host.port))
        throw Error(ErrorKind::denied,
                    repository.url + " is called without encryption: whoever sits in between could "
                                     "send other code",
                    "Use https://, or let the operator allow the host: " + settings.policy.setting +
                        ".");
    addresses_ = http::checked_addresses(settings.policy, host);
    give(files_.path());
    if (!is_ssh(repository.url)) return;
    if (repository.ssh_key.empty() || repository.known_hosts.empty())
        throw Error(ErrorKind::invalid_input, "there is no key to open " + repository.url + " with",
                    "Add the webhook again with this address: that makes one.");
    auto key = repository.ssh_key.reveal();
    if (!key.ends_with('\n')) key += '\n'; // ssh reads no key without it
    base::write_file(files_.path() / "key", key, 0600);
    base::write_file(files_.path() / "known_hosts", repository.known_hosts + "\n", 0600);
    for (const char* file : {"key", "known_hosts"}) give(files_.path() / file);
}

void Session::give(const std::filesystem::path& path) const {
    if (!settings_.run_as) return;
    if (::lchown(path.c_str(), settings_.run_as->first, settings_.run_as->second) != 0)
        base::throw_errno("could not give away " + path.string());
}

std::string Session::ssh_command() const {
    const auto address = parse_ssh(repository_.url);
    const auto file = [&](const char* name) {
        return in_shell_quotes((files_.path() / name).string());
    };
    std::string command =
        "ssh -F /dev/null -i " + file("key") + " -o UserKnownHostsFile=" + file("known_hosts");
    for (const char* option :
         {"GlobalKnownHostsFile=/dev/null", "StrictHostKeyChecking=yes", "IdentitiesOnly=yes",
          "IdentityAgent=none", "BatchMode=yes", "PasswordAuthentication=no", "ForwardAgent=no",
          "ClearAllForwardings=yes", "UpdateHostKeys=no", "CheckHostIP=no", "ConnectTimeout=30",
          "ServerAliveInterval=15", "ServerAliveCountMax=4", "LogLevel=ERROR"})
        command += std::string(" -o ") + option;
    command += " -o HostKeyAlias=" + in_shell_quotes(address.known_as());
    if (!addresses_.empty()) command += " -o HostName=" + addresses_.front();
    return command;
}

std::vector<std::string> Session::environment(Reach reach) const {
    std::vector<std::pair<std::string, std::string>> settings{
        {"core.hooksPath", "/dev/null"},
        {"core.fsmonitor", "false"},
        {"credential.helper", ""},
        {"gc.auto", "0"},
        {"submodule.recurse", "false"},
        {"safe.directory", "*"},
        {"fetch.unpackLimit", "1"},
        // As a push is checked on its way in.
        {"fetch.fsckObjects", "true"},
        {"fetch.fsck.badTimezone", "warn"},
        {"fetch.fsck.missingSpaceBeforeDate", "warn"},
        {"fetch.fsck.zeroPaddedFilemode", "warn"},
        {"http.followRedirects", "false"},
        {"http.lowSpeedLimit", "1"},
        {"http.lowSpeedTime", "60"},
    };
    const char* path = std::getenv("PATH");
    std::vector<std::string> extra{std::string("PATH=") + (path ? path : "/usr/bin:/bin"),
                                   "HOME=/nonexistent",
                                   "LC_ALL=C",
                                   "GIT_CONFIG_NOSYSTEM=1",
                                   "GIT_CONFIG_GLOBAL=/dev/null",
                                   "GIT_TERMINAL_PROMPT=0",
                                   "GIT_ALLOW_PROTOCOL=" +
                                       std::string(is_ssh(repository_.url) ? "ssh" : "http:https")};
    if (reach == Reach::network && is_ssh(repository_.url)) {
        extra.push_back("GIT_SSH_COMMAND=" + ssh_command());
        extra.push_back("GIT_SSH_VARIANT=ssh");
    } else if (reach == Reach::network) {
        const auto host = host_of(repository_.url);
        if (!addresses_.empty())
            settings.emplace_back("http.curloptResolve", http::pin_of(host, addresses_));
        if (!settings_.ca_file.empty()) {
            settings.emplace_back("http.sslCAInfo", settings_.ca_file);
            settings.emplace_back("http.sslCAPath", "/etc/ssl/certs");
        }
        // Not in argv, which everybody on the machine may read; and for this host alone.
        if (!repository_.token.empty())
            settings.emplace_back("http." + host.origin() + "/.extraHeader",
                                  authorization(repository_.token.reveal()));
    }
    extra.push_back("GIT_CONFIG_COUNT=" + std::to_string(settings.size()));
    for (std::size_t i = 0; i < settings.size(); ++i) {
        extra.push_back("GIT_CONFIG_KEY_" + std::to_string(i) + "=" + settings[i].first);
        extra.push_back("GIT_CONFIG_VALUE_" + std::to_string(i) + "=" + settings[i].second);
    }
    return extra;
}

base::Captured Session::git(const std::filesystem::path& directory,
                            std::vector<std::string> arguments, Reach reach) const {
    // No file of the repository, and so no pack, may grow past the limit.
    base::Command command{.argv = {"prlimit", "--fsize=" + std::to_string(settings_.most_bytes)},
                          .environment = environment(reach),
                          .run_as = settings_.run_as};
    if (settings_.run_as) command.argv.push_back(memory_limit);
    command.argv.push_back("git");
    if (!directory.empty()) command.argv.push_back("--git-dir=" + directory.string());
    for (auto& argument : arguments) command.argv.push_back(std::move(argument));
    return base::run(std::move(command), stop_);
}

void Session::fail(const std::string& error) const {
    const auto& url = repository_.url;
    // index-pack that prlimit ended says nothing itself.
    if (says(error, {"File size limit exceeded", "died of signal 25"}) ||
        base::trim(error) == "fatal: fetch-pack: invalid index-pack output")
        throw Error(ErrorKind::limit_exceeded,
                    url + " brings more than " + base::human_bytes(settings_.most_bytes),
                    "Leave large files out of the repository.");
    if (says(error, {"Host key verification failed", "REMOTE HOST IDENTIFICATION HAS CHANGED",
                     "no matching host key type"}))
        throw Error(ErrorKind::denied,
                    "the host of " + url + " shows another key than when the webhook was added",
                    "If that is right, add the webhook again.");
    if (says(error, {"Permission denied", "publickey"}))
        throw Error(ErrorKind::not_found, url + " does not take the webhook's deploy key",
                    "Add its public half to the repository: slipway webhooks info shows it.");
    if (says(error, {"error: 301", "error: 302", "error: 303", "error: 307", "error: 308"}))
        throw Error(ErrorKind::not_found, url + " has moved, and redirects are not followed",
                    "Add the webhook again with the repository's new address.");
    if (says(error, {"could not read Username", "could not read Password", "Authentication failed",
                     "error: 401", "error: 403", "error: 404", "error: 410", "not found",
                     "not valid: is this a git repository", "does not appear to be a git"}))
        throw Error(ErrorKind::not_found,
                    repository_.token.empty()
                        ? "there is no git repository at " + url + " that is open to everybody"
                        : "there is no git repository at " + url + " that the token may read",
                    "Give the webhook a token that may read the repository's contents, or use an "
                    "SSH address with a deploy key.");
    if (says(error, {"fsck error"}))
        throw Error(ErrorKind::invalid_input, url + " holds what git refuses: " + reason_in(error),
                    "git fsck in a clone of it says more.");
    throw Error(ErrorKind::unavailable, "could not read " + url + ": " + reason_in(error));
}

} // namespace remotes
