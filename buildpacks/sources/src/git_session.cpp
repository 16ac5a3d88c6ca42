#include "git_session.h"

#include "hosts.h"

#include "base/error.h"
#include "base/temp_dir.h"
#include "base/text.h"
#include "http/client.h"
#include "http/outgoing.h"

#include <algorithm>
#include <cstdlib>
#include <sstream>

namespace sources {
namespace {

namespace fs = std::filesystem;
using base::Error;
using base::ErrorKind;

constexpr std::size_t most_entries = 200'000;
constexpr int most_redirects = 5;

// git's own sentence among what it and the remote printed.
std::string reason_in(const std::string& error) {
    std::istringstream lines(error);
    std::string reason, line;
    while (std::getline(lines, line))
        if (line.starts_with("fatal: ") || (reason.empty() && line.starts_with("error: ")))
            reason = line.substr(7);
    if (reason.empty()) reason = base::trim(error.substr(0, 300));
    return base::printable(reason.substr(0, 500));
}

bool says(const std::string& error, std::initializer_list<const char*> words) {
    return std::any_of(words.begin(), words.end(),
                       [&](const char* word) { return error.find(word) != error.npos; });
}

} // namespace

Git::Session::Session(const Store& store, const Access& access, Remote remote,
                      const base::Stop& stop)
    : store_(store), access_(access), remote_(std::move(remote)),
      mirror_(store.mirror(key_of(remote_.url))), stop_(stop) {}

std::vector<std::string> Git::Session::environment(Reach reach) const {
    std::vector<std::pair<std::string, std::string>> settings{
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
    };
    const char* path = std::getenv("PATH");
    std::vector<std::string> extra{std::string("PATH=") + (path ? path : "/usr/bin:/bin"),
                                   "HOME=/nonexistent",
                                   "LC_ALL=C",
                                   "GIT_CONFIG_NOSYSTEM=1",
                                   "GIT_CONFIG_GLOBAL=/dev/null",
                                   "GIT_TERMINAL_PROMPT=0",
                                   "GIT_ALLOW_PROTOCOL=http:https:git"};
    if (reach == Reach::network) {
        const auto addresses = checked_addresses(access_, remote_.host);
        if (!addresses.empty() && !remote_.url.starts_with("git://"))
            settings.emplace_back("http.curloptResolve", http::pin_of(remote_.host, addresses));
        if (!access_.ca_file.empty()) {
            settings.emplace_back("http.sslCAInfo", access_.ca_file);
            settings.emplace_back("http.sslCAPath", "/etc/ssl/certs");
        }
        if (!remote_.authorization.empty())
            settings.emplace_back("http.extraHeader", "Authorization: " + remote_.authorization);
    }
    extra.push_back("GIT_CONFIG_COUNT=" + std::to_string(settings.size()));
    for (std::size_t i = 0; i < settings.size(); ++i) {
        extra.push_back("GIT_CONFIG_KEY_" + std::to_string(i) + "=" + settings[i].first);
        extra.push_back("GIT_CONFIG_VALUE_" + std::to_string(i) + "=" + settings[i].second);
    }
    return extra;
}

base::Captured Git::Session::git(std::vector<std::string> arguments, Reach reach,
                                 std::vector<std::string> more, std::size_t limit) {
    // No file of the mirror, and so no pack, may grow past the limit of a source.
    base::Command command{.argv = {"prlimit", "--fsize=" + std::to_string(access_.most_bytes),
                                   "git", "--git-dir=" + mirror_.string()},
                          .environment = environment(reach)};
    command.argv.insert(command.argv.end(), arguments.begin(), arguments.end());
    command.environment.insert(command.environment.end(), more.begin(), more.end());
    return base::run(std::move(command), stop_, {}, limit);
}

// git:// has nothing to pin an address with: the address itself is called, by the name it has.
base::Captured Git::Session::call(const std::vector<std::string>& arguments) {
    for (int hops = 0;; ++hops) {
        auto url = remote_.url;
        std::vector<std::string> more;
        if (url.starts_with("git://")) {
            const auto addresses = checked_addresses(access_, remote_.host);
            if (!addresses.empty()) {
                const auto& address = addresses.front();
                const bool v6 = address.find(':') != address.npos;
                url = "git://" + (v6 ? "[" + address + "]" : address) + ":" +
                      std::to_string(remote_.host.port) + url.substr(url.find('/', 6));
                more.push_back("GIT_OVERRIDE_VIRTUAL_HOST=" + remote_.host.host);
            }
        }
        auto words = arguments;
        std::replace(words.begin(), words.end(), std::string("URL"), url);
        auto result = git(words, Reach::network, more);
        const bool redirected = says(
            result.error, {"error: 301", "error: 302", "error: 303", "error: 307", "error: 308"});
        if (result.status.ok() || !redirected || hops == most_redirects) return result;
        follow_redirect();
    }
}

// One hop, as git would take it, but to a host that is checked again and without credentials.
void Git::Session::follow_redirect() {
    constexpr std::string_view asked = "/info/refs?service=git-upload-pack";
    http::Client client(
        {.ca_file = access_.ca_file,
         .allow_address = address_check(access_, remote_.host.host, remote_.host.port)});
    http::Request request{.url = remote_.url + std::string(asked)};
    if (!remote_.authorization.empty())
        request.headers.push_back("Authorization: " + remote_.authorization);
    const auto location = client.send(request, stop_).header("location").value_or("");
    const auto target = location.empty() ? "" : http::resolve(request.url, location);
    if (!target.ends_with(asked) ||
        (remote_.url.starts_with("https:") && target.starts_with("http:")))
        throw Error(ErrorKind::not_found,
                    remote_.url + " leads to " + base::quoted(target) +
                        ", which is not a git repository's address",
                    "Name the repository's own address.");
    Remote next = remote_of({target.substr(0, target.size() - asked.size()), {}, false});
    if (next.host.origin() == remote_.host.origin()) next.authorization = remote_.authorization;
    remote_ = std::move(next);
}

void Git::Session::make_mirror() {
    if (fs::exists(mirror_ / "objects" / "info")) { // what git makes last
        std::error_code ignored;                    // what a killed fetch left
        for (const auto& entry : fs::directory_iterator(mirror_ / "objects" / "pack", ignored))
            if (entry.path().filename().string().starts_with("tmp_")) fs::remove(entry.path());
        fs::remove(mirror_ / "shallow.lock", ignored);
        return;
    }
    const auto made = git({"init", "--bare", "--quiet", "--template="}, Reach::local);
    if (!made.status.ok())
        throw Error(ErrorKind::unavailable,
                    "could not make a mirror of " + remote_.url + ": " + reason_in(made.error));
}

void Git::Session::fail(const std::string& error) const {
    const auto reason = reason_in(error);
    if (says(error, {"could not read Username", "could not read Password", "Authentication failed",
                     "error: 401", "error: 403", "error: 404", "error: 410", "not found",
                     "not valid: is this a git repository", "repository not exported"}))
        throw Error(ErrorKind::not_found,
                    "there is no git repository at " + remote_.url +
                        ", or it is not open to everybody",
                    "Check its address. A private one needs https://TOKEN@host/path.");
    throw Error(ErrorKind::unavailable, "could not read " + remote_.url + ": " + reason);
}

std::optional<std::string> Git::Session::look_up(const std::string& ref) {
    std::vector<std::string> names{"HEAD"};
    if (!ref.empty())
        names = {"refs/heads/" + ref, "refs/tags/" + ref + "^{}", "refs/tags/" + ref, ref};
    std::vector<std::string> arguments{"ls-remote", "--quiet", "URL"};
    arguments.insert(arguments.end(), names.begin(), names.end());
    fs::create_directories(mirror_); // ls-remote wants none of it, --git-dir a directory
    const auto result = call(arguments);
    if (!result.status.ok()) fail(result.error);
    for (const auto& name : names) {
        std::istringstream lines(result.output);
        std::string commit, found;
        while (lines >> commit >> found)
            if (found == name && commit.size() == 40) return commit;
    }
    return std::nullopt;
}

bool Git::Session::has(const std::string& commit) {
    return git({"cat-file", "-e", commit + "^{commit}"}, Reach::local).status.ok();
}

bool Git::Session::bring(const std::string& commit) {
    const auto held = store_.lock("git-" + mirror_.filename().string(), stop_);
    make_mirror();
    if (has(commit)) return true;
    const auto wanted = "+" + commit + ":refs/slipway/" + commit;
    // Servers that hand out no single commits, and those that only hand out files, have all of it.
    const std::vector<std::vector<std::string>> ways{
        {"--depth=1", "URL", wanted},
        {"URL", wanted},
        {"--tags", "URL", "+refs/heads/*:refs/slipway/heads/*"}};
    std::string error;
    for (const auto& way : ways) {
        std::vector<std::string> arguments{"fetch", "--quiet", "--no-write-fetch-head",
                                           "--no-recurse-submodules"};
        if (way.front() != "--tags") arguments.push_back("--no-tags");
        arguments.insert(arguments.end(), way.begin(), way.end());
        const auto result = call(arguments);
        if (result.status.signal != 0 ||
            says(result.error, {"File size limit exceeded", "died of signal 25"}))
            throw Error(ErrorKind::limit_exceeded, "the repository " + remote_.url +
                                                       " is larger than " +
                                                       base::human_bytes(access_.most_bytes));
        if (result.status.ok() && has(commit)) return true;
        if (!result.status.ok()) error = result.error;
        if (says(error, {"Could not resolve", "Failed to connect", "Couldn't connect"})) break;
    }
    if (!error.empty() &&
        !says(error, {"not our ref", "unadvertised object", "couldn't find remote"}))
        fail(error);
    return false;
}

std::optional<std::string> Git::Session::complete(const std::string& prefix) {
    const auto held = store_.lock("git-" + mirror_.filename().string(), stop_);
    make_mirror();
    const auto fetched =
        call({"fetch", "--quiet", "--no-write-fetch-head", "--tags", "--no-recurse-submodules",
              "URL", "+refs/heads/*:refs/slipway/heads/*"});
    if (!fetched.status.ok()) fail(fetched.error);
    const auto found =
        git({"rev-parse", "--verify", "--quiet", prefix + "^{commit}"}, Reach::local);
    if (!found.status.ok()) return std::nullopt;
    return base::trim(found.output);
}

// Before anything is written: packs are small where trees need not be.
void Git::Session::check_size(const std::string& commit) {
    constexpr std::size_t longest = 64u << 20;
    const auto listed = git({"ls-tree", "-r", "-l", "-z", commit}, Reach::local, {}, longest);
    if (!listed.status.ok()) fail(listed.error);
    std::uint64_t bytes = 0;
    std::size_t entries = 0;
    for (std::size_t at = 0; at < listed.output.size(); ++entries) {
        const auto end = std::min(listed.output.find('\0', at), listed.output.size());
        std::istringstream entry(listed.output.substr(at, end - at));
        std::string mode, type, object;
        std::uint64_t size = 0;
        if (entry >> mode >> type >> object >> size) bytes += size;
        at = end + 1;
    }
    if (bytes > access_.most_bytes || entries > most_entries || listed.output.size() >= longest)
        throw Error(ErrorKind::limit_exceeded,
                    "the buildpack in " + remote_.url + " has more than " +
                        base::human_bytes(access_.most_bytes) + " or 200,000 files");
}

void Git::Session::check_out(const std::string& commit, const fs::path& target) {
    check_size(commit);
    const base::TempDir scratch("index-", store_.incoming());
    const auto index = "GIT_INDEX_FILE=" + (scratch.path() / "index").string();
    const auto work_tree = "--work-tree=" + target.string();
    for (const auto& arguments : std::vector<std::vector<std::string>>{
             {"read-tree", commit}, {work_tree, "checkout-index", "--all", "--force", "--quiet"}}) {
        const auto result = git(arguments, Reach::local, {index});
        if (!result.status.ok())
            throw Error(ErrorKind::unavailable, "could not check out " + remote_.url + " at " +
                                                    commit + ": " + reason_in(result.error));
    }
}

} // namespace sources
