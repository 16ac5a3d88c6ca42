#include "git_session.h"

#include "hosts.h"

#include "base/error.h"
#include "base/in_use.h"
#include "base/temp_dir.h"
#include "base/text.h"
#include "http/client.h"
#include "remotes/git.h"

#include <algorithm>
#include <sstream>

namespace sources {
namespace {

namespace fs = std::filesystem;
using base::Error;
using base::ErrorKind;
using remotes::fault_of;
using remotes::GitFault;
using remotes::reason_of;

constexpr std::size_t most_entries = 200'000;
constexpr int most_redirects = 5;

} // namespace

Git::Session::Session(const Store& store, const Access& access, Remote remote,
                      const base::Stop& stop)
    : store_(store), access_(access), remote_(std::move(remote)),
      mirror_(store.mirror(key_of(remote_.url))), stop_(stop) {}

remotes::Git Git::Session::command() const {
    return {"http:https:git", access_.most_bytes};
}

base::Captured Git::Session::run(const remotes::Git& git, std::vector<std::string> arguments,
                                 std::size_t limit) {
    arguments.insert(arguments.begin(), "--git-dir=" + mirror_.string());
    return git.run(std::move(arguments), stop_, limit);
}

base::Captured Git::Session::call(const std::vector<std::string>& arguments) {
    for (int hops = 0;; ++hops) {
        auto git = command();
        auto url = remote_.url;
        const auto addresses = checked_addresses(access_, remote_.host);
        if (!url.starts_with("git://")) {
            git.call(remote_.host, addresses, access_.ca_file, remote_.authorization);
        } else if (!addresses.empty()) {
            // Nothing pins an address of git://: it is called itself, by the name it has.
            const auto& address = addresses.front();
            const bool v6 = address.find(':') != address.npos;
            url = "git://" + (v6 ? "[" + address + "]" : address) + ":" +
                  std::to_string(remote_.host.port) + url.substr(url.find('/', 6));
            git.set_variable("GIT_OVERRIDE_VIRTUAL_HOST", remote_.host.host);
        }
        auto words = arguments;
        std::replace(words.begin(), words.end(), std::string("URL"), url);
        auto result = run(git, words);
        if (result.status.ok() || fault_of(result) != GitFault::redirected ||
            hops == most_redirects)
            return result;
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

// Whoever removes what nobody uses may come between the two.
void Git::Session::use_mirror() {
    do fs::create_directories(mirror_);
    while (!base::use_to_the_end(mirror_));
}

void Git::Session::make_mirror() {
    use_mirror();
    if (fs::exists(mirror_ / "objects" / "info")) { // what git makes last
        std::error_code ignored;                    // what a killed fetch left
        for (const auto& entry : fs::directory_iterator(mirror_ / "objects" / "pack", ignored))
            if (entry.path().filename().string().starts_with("tmp_")) fs::remove(entry.path());
        fs::remove(mirror_ / "shallow.lock", ignored);
        return;
    }
    const auto made = run(command(), {"init", "--bare", "--quiet", "--template="});
    if (!made.status.ok())
        throw Error(ErrorKind::unavailable,
                    "could not make a mirror of " + remote_.url + ": " + reason_of(made));
}

void Git::Session::fail(const base::Captured& result) const {
    const auto fault = fault_of(result);
    if (fault == GitFault::too_large)
        throw Error(ErrorKind::limit_exceeded, "the repository " + remote_.url +
                                                   " is larger than " +
                                                   base::human_bytes(access_.most_bytes));
    if (fault == GitFault::no_repository)
        throw Error(ErrorKind::not_found,
                    "there is no git repository at " + remote_.url +
                        ", or it is not open to everybody",
                    "Check its address. A private one needs https://TOKEN@host/path.");
    throw Error(ErrorKind::unavailable, "could not read " + remote_.url + ": " + reason_of(result));
}

std::optional<std::string> Git::Session::look_up(const std::string& ref) {
    std::vector<std::string> names{"HEAD"};
    if (!ref.empty())
        names = {"refs/heads/" + ref, "refs/tags/" + ref + "^{}", "refs/tags/" + ref, ref};
    std::vector<std::string> arguments{"ls-remote", "--quiet", "URL"};
    arguments.insert(arguments.end(), names.begin(), names.end());
    use_mirror(); // ls-remote wants none of it, --git-dir a directory
    const auto result = call(arguments);
    if (!result.status.ok()) fail(result);
    for (const auto& name : names) {
        std::istringstream lines(result.output);
        std::string commit, found;
        while (lines >> commit >> found)
            if (found == name && commit.size() == 40) return commit;
    }
    return std::nullopt;
}

bool Git::Session::has(const std::string& commit) {
    return run(command(), {"cat-file", "-e", commit + "^{commit}"}).status.ok();
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
    std::optional<base::Captured> failed;
    for (const auto& way : ways) {
        std::vector<std::string> arguments{"fetch", "--quiet", "--no-write-fetch-head",
                                           "--no-recurse-submodules"};
        if (way.front() != "--tags") arguments.push_back("--no-tags");
        arguments.insert(arguments.end(), way.begin(), way.end());
        auto result = call(arguments);
        if (result.status.ok()) {
            if (has(commit)) return true;
            continue;
        }
        const auto fault = fault_of(result);
        if (fault == GitFault::too_large) fail(result);
        failed = std::move(result);
        if (fault == GitFault::unreachable) break;
    }
    if (failed && fault_of(*failed) != GitFault::no_such_ref) fail(*failed);
    return false;
}

std::optional<std::string> Git::Session::complete(const std::string& prefix) {
    const auto held = store_.lock("git-" + mirror_.filename().string(), stop_);
    make_mirror();
    const auto fetched =
        call({"fetch", "--quiet", "--no-write-fetch-head", "--tags", "--no-recurse-submodules",
              "URL", "+refs/heads/*:refs/slipway/heads/*"});
    if (!fetched.status.ok()) fail(fetched);
    const auto found = run(command(), {"rev-parse", "--verify", "--quiet", prefix + "^{commit}"});
    if (!found.status.ok()) return std::nullopt;
    return base::trim(found.output);
}

// Before anything is written: packs are small where trees need not be.
void Git::Session::check_size(const std::string& commit) {
    constexpr std::size_t longest = 64u << 20;
    const auto listed = run(command(), {"ls-tree", "-r", "-l", "-z", commit}, longest);
    if (!listed.status.ok()) fail(listed);
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
    auto git = command();
    git.set_variable("GIT_INDEX_FILE", scratch.path() / "index");
    const auto work_tree = "--work-tree=" + target.string();
    for (const auto& arguments : std::vector<std::vector<std::string>>{
             {"read-tree", commit}, {work_tree, "checkout-index", "--all", "--force", "--quiet"}}) {
        const auto result = run(git, arguments);
        if (!result.status.ok())
            throw Error(ErrorKind::unavailable, "could not check out " + remote_.url + " at " +
                                                    commit + ": " + reason_of(result));
    }
}

} // namespace sources
