#include "session.h"

#include "address.h"
#include "remotes/git.h"

#include "base/crypto.h"
#include "base/error.h"
#include "base/fd.h"
#include "base/text.h"

#include <unistd.h>

namespace remotes {
namespace {

using base::Error;
using base::ErrorKind;

// Forges take any user name beside a token; GitHub asks for one.
std::string authorization(const std::string& token) {
    const auto pair = token.find(':') == token.npos ? "x-access-token:" + token : token;
    return "Basic " + base::base64_encode(pair);
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

base::Captured Session::git(std::vector<std::string> arguments, Reach reach) const {
    const bool ssh = is_ssh(repository_.url);
    Git git(ssh ? "ssh" : "http:https", settings_.most_bytes);
    git.run_as(settings_.run_as);
    // As a push is checked on its way in.
    git.configure("fetch.fsckObjects", "true");
    for (const char* lenient : {"badTimezone", "missingSpaceBeforeDate", "zeroPaddedFilemode"})
        git.configure(std::string("fetch.fsck.") + lenient, "warn");
    if (reach == Reach::network && ssh)
        git.set_variable("GIT_SSH_COMMAND", ssh_command()).set_variable("GIT_SSH_VARIANT", "ssh");
    else if (reach == Reach::network)
        git.call(host_of(repository_.url), addresses_, settings_.ca_file,
                 repository_.token.empty() ? "" : authorization(repository_.token.reveal()));
    return git.run(std::move(arguments), stop_);
}

void Session::fail(const base::Captured& result) const {
    const auto& url = repository_.url;
    switch (fault_of(result)) {
    case GitFault::too_large:
        throw Error(ErrorKind::limit_exceeded,
                    url + " brings more than " + base::human_bytes(settings_.most_bytes),
                    "Leave large files out of the repository.");
    case GitFault::host_key:
        throw Error(ErrorKind::denied,
                    "the host of " + url + " shows another key than when the webhook was added",
                    "If that is right, add the webhook again.");
    case GitFault::key_refused:
        throw Error(ErrorKind::not_found, url + " does not take the webhook's deploy key",
                    "Add its public half to the repository: slipway webhooks info shows it.");
    case GitFault::redirected:
        throw Error(ErrorKind::not_found, url + " has moved, and redirects are not followed",
                    "Add the webhook again with the repository's new address.");
    case GitFault::no_repository:
        if (is_ssh(url))
            throw Error(ErrorKind::not_found,
                        "there is no git repository at " + url +
                            " that the webhook's deploy key opens",
                        "Is the address right, and was the key's public half added to this "
                        "repository? slipway webhooks info shows it.");
        throw Error(ErrorKind::not_found,
                    "there is no git repository at " + url +
                        (repository_.token.empty() ? " that is open to everybody"
                                                   : " that the token may read"),
                    "Give the webhook a token that may read the repository's contents, or use an "
                    "SSH address with a deploy key.");
    case GitFault::damaged:
        throw Error(ErrorKind::invalid_input, url + " holds what git refuses: " + reason_of(result),
                    "git fsck in a clone of it says more.");
    case GitFault::no_such_ref:
    case GitFault::unreachable:
    case GitFault::other:
        break;
    }
    throw Error(ErrorKind::unavailable, "could not read " + url + ": " + reason_of(result));
}

} // namespace remotes
