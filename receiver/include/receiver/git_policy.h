// Which pushes become a build. A pure function; any thread. It knows the refs of one push and
// nothing of the repository: whether a push is forced or shallow is git's own business.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace receiver {

struct RefUpdate {
    std::string old_id; // hex; all zeros when the ref is new
    std::string new_id; // hex; all zeros when the ref is to go
    std::string ref;    // "refs/heads/main"
};

// A line of git's pre-receive input, "old new ref". Empty for anything else: ids that are not
// lower-case hex of one length (40 or 64), names that do not start with "refs/".
std::optional<RefUpdate> parse_ref_update(std::string_view line);

struct PushSettings {
    std::vector<std::string> deploy_branches{"main", "master"};
    std::string remote = "slipway"; // how the commands shown to the pusher call this server
};

struct Deploy {
    std::string ref;
    std::string commit;
    std::string previous; // what the ref pointed to when the push began; zeros for a new one
};
struct Refuse {
    std::vector<std::string> lines; // complete and printable, in the pusher's convention
};
using PushDecision = std::variant<Deploy, Refuse>;

PushDecision decide_push(const std::vector<RefUpdate>& updates, const PushSettings& settings = {});

} // namespace receiver
