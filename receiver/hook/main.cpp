// slipway-hook: git's pre-receive hook. Hands the proposed updates and the quarantine to the
// daemon, prints the build's lines, and ends as the build ended. git carries what is printed here
// to the pusher. It starts once for each push, between the pack and the first line, so it links
// little and does little.
#include "base/error.h"
#include "base/fd.h"
#include "base/json.h"
#include "base/text.h"
#include "receiver/git_policy.h"
#include "wire/client.h"

#include <nlohmann/json.hpp>

#include <cstdlib>
#include <string>
#include <sys/stat.h>
#include <unistd.h>

namespace {

using base::Error;
using base::ErrorKind;
using base::json::Value;

constexpr std::size_t longest_input = std::size_t{16} << 20;
constexpr std::size_t most_updates = 500; // what fits a request with room to spare

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

} // namespace

int main() {
    const auto door = environment("SLIPWAY_DOOR");
    const auto push = environment("SLIPWAY_PUSH");
    if (door.empty() || push.empty()) {
        complain("This repository takes pushes through Slipway alone.");
        return 1;
    }
    try {
        return ask(door, push);
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
