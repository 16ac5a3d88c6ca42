#include "door.h"

#include "buildpack_uri.h"
#include "jobs.h"
#include "pusher_text.h"

#include "receiver/app_name.h"
#include "receiver/git_policy.h"

#include "base/error.h"
#include "base/failpoint.h"
#include "base/log.h"
#include "base/text.h"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <poll.h>
#include <sstream>

namespace server {
namespace {

using base::Error;
using base::ErrorKind;
using base::json::get_string;
using base::json::Value;

// Pushes that were opened and sent nothing yet; connections are limited far below this.
constexpr std::size_t most_open_pushes = 10'000;
constexpr std::size_t most_updates = 1000;

void tell(wire::Exchange& exchange, const Lines& lines) {
    for (const auto& line : lines) exchange.send_event({{"line", line}});
}

std::vector<receiver::RefUpdate> parse_updates(const Value& request) {
    const auto it = request.find("updates");
    if (it == request.end() || !it->is_array() || it->size() > most_updates)
        throw Error(ErrorKind::invalid_input, "\"updates\" must be a list of at most 1000");
    std::vector<receiver::RefUpdate> updates;
    for (const auto& entry : *it) {
        const auto line = get_string(entry, "old") + " " + get_string(entry, "new") + " " +
                          get_string(entry, "ref");
        auto update = receiver::parse_ref_update(line);
        if (!update) throw Error(ErrorKind::invalid_input, "this is no update of a ref");
        updates.push_back(std::move(*update));
    }
    return updates;
}

// The hook runs unprivileged and names a directory that a root process will read: it must be what
// git makes, inside this app's repository.
std::filesystem::path check_quarantine(const std::string& text,
                                       const std::filesystem::path& repository) {
    if (text.empty()) return {};
    std::error_code failure;
    const auto path = std::filesystem::canonical(text, failure);
    const auto objects = std::filesystem::canonical(repository / "objects", failure);
    if (failure || path.parent_path() != objects ||
        !path.filename().string().starts_with("tmp_objdir-"))
        throw Error(ErrorKind::denied, "the quarantine is not in the app's repository");
    return path;
}

ErrorKind kind_of(apps::BuildState state) noexcept {
    using apps::BuildState;
    switch (state) {
    case BuildState::cancelled:
    case BuildState::superseded:
    case BuildState::detected:
        return ErrorKind::cancelled;
    case BuildState::refused:
        return ErrorKind::buildpack_failed;
    case BuildState::lost:
    case BuildState::exporting: // its image waits for the registry
        return ErrorKind::unavailable;
    default:
        return ErrorKind::internal;
    }
}

// How the push ends for git: anything but a published build refuses it.
[[noreturn]] void refuse(const apps::Build& build) {
    throw Error(kind_of(build.state),
                "build " + build.id + " is " + std::string(apps::to_string(build.state)) + ": " +
                    build.reason,
                build.hint);
}

} // namespace

Value Door::answer(const Value& request, wire::Exchange& exchange, const base::Stop& stop) {
    const auto verb = get_string(request, "verb");
    if (verb == "door.identify") return identify(request);
    if (verb == "door.open") return open(request, exchange.peer().pid);
    if (verb == "door.push") return push(request, exchange, stop);
    if (verb == "door.accepted") return accepted(request);
    if (verb.starts_with("door.apps") || verb.starts_with("door.builds.")) {
        on_authenticated_(exchange.peer().pid);
        if (auto answer = commands_.answer(verb, request, exchange, stop)) return *answer;
    }
    throw Error(ErrorKind::invalid_input, "there is no verb " + base::quoted(verb) + " here");
}

Value Door::identify(const Value& request) {
    const auto key = site_.store.find_key_by_fingerprint(get_string(request, "fingerprint"));
    if (!key) throw Error(ErrorKind::denied, "nobody added this key");
    return {{"user", key->name}};
}

Value Door::open(const Value& request, pid_t peer) {
    const auto fingerprint = get_string(request, "fingerprint");
    const auto app = get_string(request, "app");
    const auto service = get_string(request, "service");
    const auto key = site_.store.find_key_by_fingerprint(fingerprint);
    if (!key) throw Error(ErrorKind::denied, "nobody added this key");
    on_authenticated_(peer);
    // One answer for "no such app" and "not for you": names of others' apps are not told.
    if (!receiver::is_app_name(app) || !site_.store.may_push(fingerprint, app))
        throw Error(ErrorKind::not_found,
                    "there is no app " + base::quoted(app) + ", or this key may not use it");
    std::string token;
    if (service == "git-receive-pack")
        token = remember({app, fingerprint, key->name, 0});
    else if (service != "git-upload-pack")
        throw Error(ErrorKind::invalid_input, "there is no service " + base::quoted(service));
    return {{"repository", site_.state.repository(app).string()}, {"push", token}};
}

std::string Door::remember(Push push) {
    auto token = base::random_hex(16);
    auto pushes = pushes_.lock();
    auto& by_token = pushes->by_token;
    if (by_token.size() >= most_open_pushes)
        by_token.erase(std::min_element(by_token.begin(), by_token.end(), [](auto& a, auto& b) {
            return a.second.number < b.second.number;
        }));
    push.number = pushes->opened++;
    by_token.emplace(token, std::move(push));
    return token;
}

Door::Push Door::take(const std::string& token) {
    auto pushes = pushes_.lock();
    auto node = pushes->by_token.extract(token);
    if (node.empty()) throw Error(ErrorKind::denied, "this push was not opened, or it has ended");
    return std::move(node.mapped());
}

Value Door::push(const Value& request, wire::Exchange& exchange, const base::Stop& stop) {
    const auto token = get_string(request, "push");
    const auto push = take(token);
    const auto deploy = decide(request, exchange);
    const auto options = read_options(request, exchange);
    std::shared_ptr<LiveBuild> build;
    try {
        build = submit(request, push, deploy, options);
    } catch (const Error& error) {
        base::log::warning("a push was refused",
                           {{"app", push.app}, {"user", push.user}, {"reason", error.describe()}});
        tell(exchange, tell_error(error));
        throw;
    }
    if (options.detach) return leave(token, *build, push, deploy, exchange);
    follow(*build, exchange, stop);
    const auto ended = build->ended();
    if (!ended) throw Error(ErrorKind::cancelled, "the build " + build->id() + " goes on");
    if (ended->state != apps::BuildState::published) refuse(*ended);
    site_.repositories.point_head(push.app, deploy.ref);
    return {{"build", ended->id}, {"digest", ended->digest}};
}

// The push succeeds with this answer, whatever becomes of the build. The build begins once git has
// moved the ref and its objects out of the quarantine.
Value Door::leave(const std::string& token, const LiveBuild& build, const Push& push,
                  const receiver::Deploy& deploy, wire::Exchange& exchange) {
    detached_.hold(token, {build.id(), push.app, deploy.ref, deploy.commit});
    base::failpoint("push_detached");
    tell(exchange, tell_detached(build.id(), site_.ssh_url()));
    return {{"build", build.id()}};
}

Value Door::accepted(const Value& request) {
    return {{"build", detached_.accept(get_string(request, "push"))}};
}

receiver::PushOptions Door::read_options(const Value& request, wire::Exchange& exchange) {
    auto parsed = receiver::parse_push_options(base::json::get_strings(request, "options"));
    if (auto* options = std::get_if<receiver::PushOptions>(&parsed)) {
        try {
            for (const auto& [name, value] : options->environment) check_variable_name(name);
            for (const auto& uri : options->buildpacks) check_buildpack_uri(uri);
        } catch (const Error& error) {
            tell(exchange, tell_error(error));
            throw;
        }
        return std::move(*options);
    }
    tell(exchange, std::get<receiver::Refuse>(parsed).lines);
    throw Error(ErrorKind::invalid_input, "the push has options that are not there");
}

receiver::Deploy Door::decide(const Value& request, wire::Exchange& exchange) {
    receiver::PushSettings settings;
    settings.deploy_branches = site_.config.git.branches;
    const auto decision = receiver::decide_push(parse_updates(request), settings);
    if (const auto* deploy = std::get_if<receiver::Deploy>(&decision)) return *deploy;
    tell(exchange, std::get<receiver::Refuse>(decision).lines);
    throw Error(ErrorKind::invalid_input, "the push builds nothing");
}

std::shared_ptr<LiveBuild> Door::submit(const Value& request, const Push& push,
                                        const receiver::Deploy& deploy,
                                        const receiver::PushOptions& options) {
    // The key may have gone since the connection was opened.
    if (!site_.store.may_push(push.fingerprint, push.app))
        throw Error(ErrorKind::not_found, "there is no such app, or your key may not use it");
    const auto repository = site_.state.repository(push.app);
    site_.repositories.sweep_lock(push.app, deploy.ref);
    const auto quarantine =
        check_quarantine(base::json::find_string(request, "quarantine").value_or(""), repository);
    check_ready_for_builds(site_.config, site_.state, site_.store, push.app);
    Submission submission{.app = push.app,
                          .ref = deploy.ref,
                          .commit = deploy.commit,
                          .pushed_by = push.user,
                          .source = builder::GitTree{repository, deploy.commit, quarantine},
                          .previous = deploy.previous};
    submission.options = {.buildpacks = options.buildpacks,
                          .environment = options.environment,
                          .no_cache = options.no_cache,
                          .dry_run = options.dry_run,
                          .verbose = options.verbose};
    if (options.detach) {
        submission.source = builder::GitTree{repository, deploy.commit, {}};
        submission.durable = true;
        submission.hold = true;
    }
    return site_.queue.submit(std::move(submission));
}

// Until the build ends or the pusher is gone. The build is the server's: only one whose source is
// still in the push's quarantine ends with its pusher.
void Door::follow(LiveBuild& build, wire::Exchange& exchange, const base::Stop& stop) {
    std::uint64_t offset = 0;
    try {
        const auto follower = build.log().follow();
        for (;;) {
            follower->clear();
            const auto piece = build.log().read(offset);
            std::istringstream lines(piece.text);
            for (std::string line; std::getline(lines, line);)
                exchange.send_event({{"line", line}}, stop);
            offset = piece.next;
            if (piece.over) return;
            pollfd fds[] = {{piece.text.empty() ? follower->fd() : -1, POLLIN, 0},
                            {exchange.fd(), POLLRDHUP, 0},
                            {stop.fd(), POLLIN, 0}};
            ::poll(fds, 3, piece.text.empty() ? -1 : 0);
            if (stop.requested()) return;
            if (exchange.peer_left()) throw Error(ErrorKind::unavailable, "the pusher left");
        }
    } catch (...) {
        if (!build.is_fetched())
            site_.queue.cancel(build.id(), "the push went away before its source was read");
        throw;
    }
}

} // namespace server
