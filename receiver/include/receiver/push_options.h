// What a pusher asks of one build with `git push -o ...`. Pure functions on hostile text; any
// thread. A value is never repeated in a refusal: it may be a secret.
#pragma once

#include "receiver/git_policy.h"

#include "base/secret.h"

#include <map>
#include <string>
#include <variant>
#include <vector>

namespace receiver {

struct PushOptions {
    bool detach = false;   // accept, answer with the build's id, build alone
    bool no_cache = false; // neither read nor kept
    bool dry_run = false;  // stop after detection; the branch does not move
    bool verbose = false;
    std::vector<std::string> buildpacks;             // in order, instead of every other choice
    std::map<std::string, base::Secret> environment; // for this build alone

    bool empty() const noexcept {
        return !detach && !no_cache && !dry_run && !verbose && buildpacks.empty() &&
               environment.empty();
    }
};

// Each as the pusher wrote it after -o, in order. An unknown one is refused with the list and the
// name that it resembles; so are too many, too long ones, control characters, and two that
// contradict each other.
std::variant<PushOptions, Refuse> parse_push_options(const std::vector<std::string>& options);

} // namespace receiver
