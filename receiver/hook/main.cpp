// slipway-hook: git's pre-receive hook. Hands the proposed updates, the quarantine and the push
// options to the daemon, prints the build's lines, and ends as the build ended. git carries what is
// printed here to the pusher. It starts once for each push, between the pack and the first line, so
// it links little and does little.
//
// Under the name post-receive it tells the daemon that git has moved the ref of a detached push.
#include "base/error.h"
#include "base/fd.h"
#include "base/json.h"
#include "base/text.h"
#include "receiver/git_policy.h"
#include "wire/client.h"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <string>
#include <sys/stat.h>
#include <unistd.h>

namespace {

using base::Error;
using base::ErrorKind;
using base::json::Value;

constexpr std::size_t longest_input = std::size_t{16} << 20;
constexpr std::size_t most_updates = 500; // what fits a request with room to spare
constexpr std::size_t most_options = 1000;
constexpr std::size_t longest_options = 256u << 10;

// One write for one line, so that the pusher never sees half of it; a pusher who has gone does not
// matter to the build.
void print(std::string line) {
    line += '\n';
    std::string_view rest = line;
    while (!rest.empty()) {
        const auto n = ::write(2, rest.data(), rest.size());
        if (n < 0) return;
        rest.remove_prefix(static_cast<std::size_t>(n));
    }
}

void complain(const std::string& text) {
    print(" !     " + text);
}

std::string environment(const char* name) {
    const char* value = std::getenv(name);
    return value ? value : "";
}

// A variable for one build may be a secret: who looks at /proc/PID/environ while it runs finds
// none.
std::string take_from_environment(const std::string& name) {
    char* value = std::getenv(name.c_str());
    if (!value) return {};
    std::string taken(value);
    std::memset(value, '*', taken.size());
    return taken;
}

std::vector<std::string> take_options() {
    const auto count = std::strtoul(environment("GIT_PUSH_OPTION_COUNT").c_str(), nullptr, 10);
    std::vector<std::string> options;
    std::size_t bytes = 0;
    for (unsigned long i = 0; i < count; ++i) {
        options.push_back(take_from_environment("GIT_PUSH_OPTION_" + std::to_string(i)));
        bytes += options.back().size();
        if (i == most_options || bytes > longest_options)
            throw Error(ErrorKind::invalid_input, "this push has too many or too long options");
    }
    return options;
}

// JSON is UTF-8; what is not would reach the build changed.
Value render_options(const std::vector<std::string>& options) {
    auto list = Value::array();
    for (const auto& option : options) {
        try {
            Value(option).dump();
        } catch (const Value::exception&) {
            throw Error(ErrorKind::invalid_input, "a push option is not valid UTF-8");
        }
        list.push_back(option);
    }
    return list;
}

Value read_updates() {
    const auto input = base::read_to_end(0, longest_input);
    auto updates = Value::array();
    base::LineSplitter lines(
        [&](std::string_view line) {
            const auto update = receiver::parse_ref_update(line);
            if (!update) throw Error(ErrorKind::invalid_input, "git gave a line of another form");
            if (updates.size() == most_updates)
                throw Error(ErrorKind::limit_exceeded, "too many refs in one push");
            updates.push_back(
                {{"old", update->old_id}, {"new", update->new_id}, {"ref", update->ref}});
        },
        8192);
    lines.feed(input);
    lines.finish();
    return updates;
}

// git makes the directory for its own user alone; the worker that reads it is another one. Who may
// get as far as this directory is the business of the directories above it.
void open_quarantine(const std::string& quarantine) {
    if (!quarantine.empty() && ::chmod(quarantine.c_str(), 0755) != 0)
        base::throw_errno("could not open the quarantine to the build");
}

int ask(const std::string& door, const std::string& push) {
    // Absent when a push brings no objects: deletes alone, or a commit that is already here.
    auto quarantine = environment("GIT_QUARANTINE_PATH");
    if (quarantine.empty()) quarantine = environment("GIT_OBJECT_DIRECTORY");
    Value request = {{"verb", "door.push"}, {"push", push}, {"quarantine", quarantine}};
    request["updates"] = read_updates();
    request["options"] = render_options(take_options());
    open_quarantine(environment("GIT_QUARANTINE_PATH"));
    bool said_something = false;
    try {
        wire::call(door, request, [&](const Value& event) {
            print(base::json::get_string(event, "line"));
            said_something = true;
        });
        return 0;
    } catch (const wire::Unreachable&) {
        complain(said_something ? "The connection to Slipway was lost, and this push with it."
                                : "Slipway is not reachable right now.");
        complain("Try again in a moment.");
    } catch (const Error& error) {
        // The lines before it said why; the message is for the log.
        if (!said_something) complain(base::printable(error.message()));
    }
    return 1;
}

// git has moved the ref. Whether the build is queued now or by the daemon's own look at the ref
// does not matter to git, which asks for no answer.
int tell_moved(const std::string& door, const std::string& push) {
    const auto options = take_options();
    if (std::find(options.begin(), options.end(), "detach") == options.end()) return 0;
    try {
        wire::call(door, {{"verb", "door.accepted"}, {"push", push}},
                   [](const Value& event) { print(base::json::get_string(event, "line")); });
        return 0;
    } catch (const wire::Unreachable&) {
        complain("Slipway is not reachable right now: it builds this when it is back.");
    } catch (const Error& error) {
        complain(base::printable(error.message()));
        if (!error.hint().empty()) complain(base::printable(error.hint()));
    }
    return 1;
}

} // namespace

int main(int, char** argv) {
    const auto door = environment("SLIPWAY_DOOR");
    const auto push = environment("SLIPWAY_PUSH");
    if (door.empty() || push.empty()) {
        complain("This repository takes pushes through Slipway alone.");
        return 1;
    }
    try {
        const bool moved = std::string_view(argv[0]).ends_with("post-receive");
        return moved ? tell_moved(door, push) : ask(door, push);
    } catch (const Error& error) {
        if (error.kind() == ErrorKind::limit_exceeded)
            complain("This push holds too many refs. Push one branch: git push slipway main");
        else
            complain(base::printable(error.message()));
    } catch (const std::exception&) {
        complain("Slipway could not handle this push.");
    }
    return 1;
}
