#include "receiver/git_policy.h"

#include "base/text.h"

#include <algorithm>

namespace receiver {
namespace {

constexpr std::string_view heads = "refs/heads/";
constexpr std::string_view tags = "refs/tags/";
constexpr std::size_t most_named = 5;     // refs that one refusal lists
constexpr std::size_t longest_shown = 80; // of a ref's name

bool is_zero(std::string_view id) {
    return id.find_first_not_of('0') == std::string_view::npos;
}

bool is_object_id(std::string_view id) {
    return (id.size() == 40 || id.size() == 64) &&
           id.find_first_not_of("0123456789abcdef") == std::string_view::npos;
}

std::string_view short_name(std::string_view ref) {
    for (const auto prefix : {heads, tags})
        if (ref.starts_with(prefix)) return ref.substr(prefix.size());
    return ref;
}

std::string shown(std::string_view ref) {
    if (ref.size() > longest_shown) return base::printable(ref.substr(0, longest_shown)) + "...";
    return base::printable(ref);
}

// Names that a shell takes as they are. Others are never put into a command for people to copy.
bool is_plain(std::string_view name) {
    return !name.empty() && name.front() != '-' && name.size() <= longest_shown &&
           std::all_of(name.begin(), name.end(), [](unsigned char c) {
               return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                      c == '.' || c == '_' || c == '/' || c == '-';
           });
}

std::string join(const std::vector<std::string>& words, std::string_view last) {
    std::string text;
    for (std::size_t i = 0; i < words.size(); ++i) {
        if (i > 0) text += i + 1 == words.size() ? last : ", ";
        text += words[i];
    }
    return text;
}

// Collects the lines of one refusal.
class Refusal {
  public:
    explicit Refusal(const PushSettings& settings) : settings_(settings) {}

    Refusal& say(std::string text) {
        lines_.push_back(" !     " + std::move(text));
        return *this;
    }
    Refusal& command(const std::string& refspec) {
        return say("    git push " + settings_.remote + " " + refspec);
    }
    PushDecision done() { return Refuse{std::move(lines_)}; }

  private:
    const PushSettings& settings_;
    std::vector<std::string> lines_;
};

struct Sorted {
    std::vector<const RefUpdate*> deploys;
    std::vector<const RefUpdate*> others;
};

Sorted sort(const std::vector<RefUpdate>& updates, const PushSettings& settings) {
    Sorted sorted;
    for (const auto& update : updates) {
        const bool built =
            update.ref.starts_with(heads) &&
            std::find(settings.deploy_branches.begin(), settings.deploy_branches.end(),
                      short_name(update.ref)) != settings.deploy_branches.end();
        (built ? sorted.deploys : sorted.others).push_back(&update);
    }
    return sorted;
}

std::string named(const std::vector<const RefUpdate*>& updates) {
    std::vector<std::string> names;
    for (std::size_t i = 0; i < std::min(updates.size(), most_named); ++i)
        names.push_back(shown(updates[i]->ref));
    if (updates.size() > most_named)
        return join(names, ", ") + " and " + std::to_string(updates.size() - most_named) + " more";
    return join(names, " and ");
}

PushDecision refuse_other(const RefUpdate& update, const PushSettings& settings) {
    Refusal refusal(settings);
    const auto branches = join(settings.deploy_branches, " and ");
    const auto name = short_name(update.ref);
    const auto& target = settings.deploy_branches.front();
    if (is_zero(update.new_id))
        return refusal
            .say("Only " + branches + " live here: there is no " + shown(update.ref) +
                 " to delete.")
            .done();
    if (update.ref.starts_with(tags)) {
        refusal.say("Only " + branches + " are built here, not the tag " + shown(name) + ".");
        refusal.say("To deploy what a tag names:");
        return refusal
            .command(is_plain(name)
                         ? "'" + std::string(name) + "^{commit}:refs/heads/" + target + "'"
                         : "'TAG^{commit}:refs/heads/" + target + "'")
            .done();
    }
    refusal.say("Only " + branches + " are built here, not " +
                shown(update.ref.starts_with(heads) ? name : update.ref) + ".");
    refusal.say("To deploy this branch:");
    const bool usable = update.ref.starts_with(heads) && is_plain(name);
    return refusal
        .command((usable ? std::string(name) : "HEAD") + ":" + (usable ? "" : "refs/heads/") +
                 target)
        .done();
}

} // namespace

std::optional<RefUpdate> parse_ref_update(std::string_view line) {
    const auto first = line.find(' ');
    if (first == std::string_view::npos) return std::nullopt;
    const auto second = line.find(' ', first + 1);
    if (second == std::string_view::npos) return std::nullopt;
    const auto old_id = line.substr(0, first);
    const auto new_id = line.substr(first + 1, second - first - 1);
    const auto ref = line.substr(second + 1);
    if (!is_object_id(old_id) || !is_object_id(new_id) || old_id.size() != new_id.size())
        return std::nullopt;
    if (!ref.starts_with("refs/") || ref.find('\n') != std::string_view::npos) return std::nullopt;
    return RefUpdate{std::string(old_id), std::string(new_id), std::string(ref)};
}

PushDecision decide_push(const std::vector<RefUpdate>& updates, const PushSettings& settings) {
    const auto [deploys, others] = sort(updates, settings);
    Refusal refusal(settings);
    if (deploys.empty() && others.empty()) return refusal.say("Nothing was pushed.").done();
    if (deploys.empty() && others.size() == 1) return refuse_other(*others.front(), settings);
    const auto branches = join(settings.deploy_branches, " and ");
    if (deploys.empty())
        return refusal.say("Only " + branches + " are built here, not " + named(others) + ".")
            .say("Push the one branch to deploy:")
            .command("HEAD:refs/heads/" + settings.deploy_branches.front())
            .done();
    const auto& deploy = *deploys.front();
    const std::string branch(short_name(deploy.ref));
    if (deploys.size() > 1)
        return refusal.say("One push makes one build, but this one holds " + named(deploys) + ".")
            .say("Push one of them:")
            .command(branch)
            .done();
    if (!others.empty())
        return refusal
            .say("Only " + branches + " are built here. This push also holds " + named(others) +
                 ".")
            .say("To deploy " + branch + " alone:")
            .command(branch)
            .done();
    if (is_zero(deploy.new_id))
        return refusal.say("The branch " + branch + " cannot be deleted: it is what is deployed.")
            .say("To remove the whole app: slipway apps destroy APP")
            .done();
    return Deploy{.ref = deploy.ref, .commit = deploy.new_id, .previous = deploy.old_id};
}

} // namespace receiver
