#include "door_commands.h"

#include "rebuild.h"

#include "base/error.h"
#include "base/log.h"
#include "base/text.h"
#include "receiver/ssh_command.h"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <ctime>
#include <poll.h>

namespace server {
namespace {

using apps::BuildState;
using base::Error;
using base::ErrorKind;
using base::json::get_string;
using base::json::Value;

constexpr int shown_builds = 20;
// A follower asks again after this, with the offset that it got.
constexpr auto longest_wait = std::chrono::seconds(2);

void say(wire::Exchange& exchange, const std::string& line) {
    exchange.send_event({{"line", base::printable(line)}});
}

std::string time_of(std::int64_t milliseconds) {
    if (milliseconds == 0) return "-";
    const auto seconds = static_cast<std::time_t>(milliseconds / 1000);
    std::tm parts{};
    ::gmtime_r(&seconds, &parts);
    char text[32];
    std::strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &parts);
    return text;
}

std::string padded(std::string text, std::size_t width) {
    text.resize(std::max(text.size() + 2, width), ' ');
    return text;
}

// As `slipway builds log --follow` ends (docs/errors.md).
int exit_code_of(BuildState state) {
    switch (state) {
    case BuildState::refused:
        return receiver::exit_code_of(ErrorKind::buildpack_failed);
    case BuildState::cancelled:
    case BuildState::superseded:
        return receiver::exit_code_of(ErrorKind::cancelled);
    case BuildState::broken:
    case BuildState::lost:
        return receiver::exit_code_of(ErrorKind::internal);
    case BuildState::published:
    case BuildState::detected:
        return 0;
    case BuildState::received:
    case BuildState::queued:
    case BuildState::running:
    case BuildState::exporting:
        break; // the server stops: it goes on with the next one
    }
    return receiver::exit_code_of(ErrorKind::unavailable);
}

Error no_build(const std::string& id) {
    return Error(ErrorKind::not_found,
                 "there is no build " + base::quoted(id) + " of an app that your key may use");
}

} // namespace

std::optional<Value> DoorCommands::answer(std::string_view verb, const Value& request,
                                          wire::Exchange& exchange, const base::Stop& stop) {
    if (verb == "door.apps") return list_apps(request, exchange);
    if (verb == "door.builds.list") return list_builds(request, exchange);
    if (verb == "door.builds.info") return show_build(request, exchange);
    if (verb == "door.builds.follow") return follow(request, exchange, stop);
    if (verb == "door.builds.retry") return retry(request, exchange);
    if (verb == "door.builds.cancel") return cancel(request, exchange);
    return std::nullopt;
}

apps::Key DoorCommands::key_of(const Value& request) {
    auto key = site_.store.find_key_by_fingerprint(get_string(request, "fingerprint"));
    if (!key) throw Error(ErrorKind::denied, "nobody added this key");
    return std::move(*key);
}

apps::Build DoorCommands::build_of(const Value& request) {
    const auto key = key_of(request);
    const auto id = get_string(request, "subject");
    auto build = site_.store.builds().find(id);
    if (!build || !site_.store.may_push(key.fingerprint, build->app)) throw no_build(id);
    return std::move(*build);
}

Value DoorCommands::list_apps(const Value& request, wire::Exchange& exchange) {
    const auto key = key_of(request);
    for (const auto& app : site_.store.list_apps()) {
        if (!site_.store.may_push(key.fingerprint, app.name)) continue;
        const auto builds = site_.store.builds().list({.app = app.name, .limit = 1});
        say(exchange, padded(app.name, 24) +
                          (builds.empty() ? "no build yet"
                                          : builds[0].id + "  " +
                                                std::string(apps::to_string(builds[0].state))));
    }
    return {{"exit_code", 0}};
}

Value DoorCommands::list_builds(const Value& request, wire::Exchange& exchange) {
    const auto key = key_of(request);
    const auto app = get_string(request, "subject");
    if (!site_.store.may_push(key.fingerprint, app))
        throw Error(ErrorKind::not_found,
                    "there is no app " + base::quoted(app) + " that your key may use");
    for (const auto& build : site_.store.builds().list({.app = app, .limit = shown_builds}))
        say(exchange, build.id + "  " + padded(std::string(apps::to_string(build.state)), 12) +
                          time_of(build.created) + "  " + build.commit.substr(0, 12) + "  " +
                          build.digest);
    return {{"exit_code", 0}};
}

Value DoorCommands::show_build(const Value& request, wire::Exchange& exchange) {
    const auto build = build_of(request);
    const auto field = [&](const char* name, const std::string& value) {
        if (!value.empty() && value != "-") say(exchange, padded(name, 12) + value);
    };
    field("build", build.id);
    field("app", build.app);
    field("state", std::string(apps::to_string(build.state)));
    field("commit", build.commit);
    field("ref", build.ref);
    field("pushed by", build.pushed_by);
    field("created", time_of(build.created));
    field("started", time_of(build.started));
    field("finished", time_of(build.finished));
    for (const auto& [phase, milliseconds] : build.phases)
        field(phase.c_str(), base::human_duration(milliseconds));
    field("image", build.reference);
    field("digest", build.digest);
    field("phase", build.failed_phase);
    field("reason", build.reason);
    field("hint", build.hint);
    return {{"exit_code", 0}};
}

// One step of a follower: what the log has after `offset`, as soon as there is something.
Value DoorCommands::follow(const Value& request, wire::Exchange& exchange, const base::Stop& stop) {
    const auto build = build_of(request);
    const auto offset = base::json::find_integer(request, "offset").value_or(0);
    if (offset < 0) throw Error(ErrorKind::invalid_input, "an offset is not negative");
    const auto from = static_cast<std::uint64_t>(offset);
    const auto live = site_.queue.find(build.id);
    LogPiece piece;
    if (live) {
        const auto follower = live->log().follow();
        piece = live->log().read(from);
        if (piece.text.empty() && !piece.over) {
            stop.within(longest_wait).wait_for(follower->fd(), POLLIN);
            piece = live->log().read(from);
        }
    } else {
        piece = read_log_file(site_.state.log_of(build.id), from);
    }
    if (!piece.text.empty()) exchange.send_event({{"text", piece.text}}, stop);
    if (!piece.over || stop.requested()) return {{"offset", piece.next}, {"over", false}};
    const auto ended = site_.store.builds().find(build.id);
    return {{"offset", piece.next},
            {"over", true},
            {"exit_code", ended ? exit_code_of(ended->state) : 0}};
}

Value DoorCommands::retry(const Value& request, wire::Exchange& exchange) {
    const auto key = key_of(request);
    const auto earlier = build_of(request);
    auto again = rebuild_of(site_, earlier);
    again.pushed_by = key.name;
    const auto id = site_.queue.submit(std::move(again))->id();
    base::log::info("a build was asked for", {{"build", id}, {"of", earlier.id}, {"by", key.name}});
    say(exchange, "The build " + id + " is queued. Its log: ssh HOST builds follow " + id);
    return {{"exit_code", 0}};
}

Value DoorCommands::cancel(const Value& request, wire::Exchange& exchange) {
    const auto key = key_of(request);
    const auto build = build_of(request);
    if (!site_.queue.cancel(build.id, key.name + " cancelled it over SSH"))
        throw Error(ErrorKind::already_exists, "the build " + build.id + " has ended already");
    base::log::info("a build was cancelled", {{"build", build.id}, {"by", key.name}});
    say(exchange, "The build " + build.id + " is being stopped.");
    return {{"exit_code", 0}};
}

} // namespace server
