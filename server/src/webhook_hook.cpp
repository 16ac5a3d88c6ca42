#include "webhook_hook.h"

#include "apps/records.h"
#include "forges/report.h"
#include "remotes/keys.h"

#include "base/error.h"
#include "base/text.h"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <cctype>

namespace server {
namespace {

using base::Error;
using base::ErrorKind;
using base::json::Value;

constexpr std::size_t secret_letters = 40;
constexpr std::size_t longest_text = 500;

const Value& default_options() {
    static const Value options{
        {"pull_requests", false}, {"forks", false},      {"wait_for_ci", false},
        {"ci_name", nullptr},     {"skip_marks", true},  {"deploy_key", false},
        {"statuses", true},       {"deployments", true}, {"environment", nullptr}};
    return options;
}

[[noreturn]] void refuse(std::string message, std::string hint = {}) {
    throw Error(ErrorKind::invalid_input, std::move(message), std::move(hint));
}

// "owner/repo"; GitLab has groups in groups.
void check_repository(const std::string& name) {
    const bool plain = std::all_of(name.begin(), name.end(), [](unsigned char c) {
        return std::isalnum(c) || c == '.' || c == '_' || c == '-' || c == '/';
    });
    if (!plain || name.size() > longest_text || name.find('/') == name.npos ||
        name.front() == '/' || name.back() == '/' || name.find("//") != name.npos ||
        name.find("..") != name.npos)
        refuse(base::quoted(name) + " is not the name of a repository",
               "Write OWNER/REPOSITORY, or the address of its page.");
}

void check_branch(const std::string& branch) {
    if (branch.empty() || branch.size() > 200 || branch.front() == '-' || branch.front() == '/' ||
        branch.find("..") != branch.npos || branch.find("@{") != branch.npos ||
        branch.find_first_of(" ~^:?*[\\+") != branch.npos || base::printable(branch) != branch)
        refuse(base::quoted(branch) + " is not the name of a branch");
}

std::string usual_host(const std::string& kind) {
    if (kind == "github") return "github.com";
    if (kind == "gitlab") return "gitlab.com";
    refuse("where is the repository? " + kind + " has no one host",
           "Give the address of its page instead of its name, or a clone_url.");
}

// "https://host/owner/repo[.git]" -> host (with its port) and "owner/repo".
struct Place {
    std::string origin; // "https://host[:port]"; empty: not named
    std::string name;
};
Place place_of(std::string repository) {
    repository = base::trim(repository);
    while (repository.ends_with('/')) repository.pop_back();
    if (repository.ends_with(".git")) repository.resize(repository.size() - 4);
    if (repository.find("://") == repository.npos) return {"", repository};
    const auto url = remotes::normal_url(repository);
    const auto slash = url.find('/', url.find("://") + 3);
    return {url.substr(0, slash), url.substr(slash + 1)};
}

std::string choose_clone_url(const NewHook& wanted, const Place& place, bool deploy_key) {
    if (!wanted.clone_url.empty()) {
        const auto url = remotes::normal_url(wanted.clone_url);
        if (deploy_key && !remotes::is_ssh(url))
            refuse("a deploy key opens an SSH address, and " + url + " is none",
                   "Give ssh://git@host/owner/repo.git, or leave the key out.");
        return url;
    }
    const auto origin = place.origin.empty() ? "https://" + usual_host(wanted.kind) : place.origin;
    if (deploy_key && !origin.starts_with("ssh://"))
        return remotes::normal_url("ssh://git@" + http::parse_url(origin + "/").host + "/" +
                                   place.name + ".git");
    return remotes::normal_url(origin + "/" + place.name + ".git");
}

// An SSH port says nothing of where the web pages are.
std::string web_origin(const std::string& clone_url) {
    if (remotes::is_ssh(clone_url)) return "https://" + remotes::host_of(clone_url).host;
    return clone_url.substr(0, clone_url.find('/', clone_url.find("://") + 3));
}

// The forge's token goes there: in clear only where the operator answers for the way.
void check_api_url(const std::string& url, const http::OutgoingPolicy& policy) {
    const auto parts = http::parse_url(url);
    if (parts.scheme == "https" || http::is_allowed(policy, parts.host, parts.port)) return;
    refuse(
        "the API " + base::quoted(url) + " would be sent the forge's token in clear",
        "Give its https:// address; for a network of your own the operator can list its host in " +
            policy.setting + ".");
}

void open_by_ssh(MadeHook& made, const NewHook& wanted, const remotes::Settings& settings,
                 const base::Stop& stop) {
    auto& hook = made.hook;
    auto pair = remotes::make_key_pair("slipway " + hook.app, settings.scratch, stop);
    hook.ssh_public_key = pair.public_key;
    made.ssh_key = std::move(pair.private_key);
    hook.known_hosts = wanted.known_hosts.empty()
                           ? remotes::scan_host_keys(hook.clone_url, settings, stop)
                           : wanted.known_hosts;
}

} // namespace

std::string context_of_hook(const std::string& hook) {
    return "hook/" + hook;
}

Value hook_options(const std::string& json) {
    auto options = default_options();
    if (json.empty()) return options;
    const auto given = base::json::parse(json, "a webhook's options");
    if (!given.is_object()) refuse("the options of a webhook are an object");
    for (const auto& [name, value] : given.items()) {
        const auto known = options.find(name);
        if (known == options.end()) {
            std::string names;
            for (const auto& [other, ignored] : default_options().items())
                names += (names.empty() ? "" : ", ") + other;
            refuse("a webhook has no option " + base::quoted(name), "There are " + names + ".");
        }
        if (value.is_null()) continue;
        const bool is_text = name == "ci_name" || name == "environment";
        if (is_text ? !value.is_string() : !value.is_boolean())
            refuse("the option " + name + (is_text ? " is a text" : " is true or false"));
        *known = value;
    }
    return options;
}

receiver::WebhookSettings settings_of(const apps::Hook& hook) {
    const auto options = hook_options(hook.options);
    const auto flag = [&](const char* name) { return options[name].get<bool>(); };
    return {.repository = hook.repository,
            .repository_id = hook.repository_id,
            .branch = hook.branch,
            .pull_requests = flag("pull_requests"),
            .forks = flag("forks"),
            .wait_for_ci = flag("wait_for_ci"),
            .ci_name = base::json::find_string(options, "ci_name").value_or(""),
            .skip_marks = flag("skip_marks")};
}

MadeHook make_hook(const NewHook& wanted, const remotes::Settings& settings,
                   const base::Stop& stop) {
    receiver::parse_forge(wanted.kind);
    const auto options = hook_options(wanted.options);
    const auto place = place_of(wanted.repository);
    check_repository(place.name);
    MadeHook made;
    auto& hook = made.hook;
    hook.id = apps::new_id('h');
    hook.app = wanted.app;
    hook.kind = wanted.kind;
    hook.repository = place.name;
    hook.branch = wanted.branch.empty() ? "main" : wanted.branch;
    check_branch(hook.branch);
    hook.clone_url = choose_clone_url(wanted, place, options["deploy_key"].get<bool>());
    hook.api_url = wanted.api_url;
    if (hook.api_url.empty() && wanted.kind != "generic")
        hook.api_url = forges::usual_api_url(wanted.kind, web_origin(hook.clone_url));
    if (!hook.api_url.empty()) check_api_url(hook.api_url, settings.policy);
    hook.options = base::json::render(options);
    hook.created = apps::now_milliseconds();
    made.secret = base::Secret(base::random_token(secret_letters));
    made.token = wanted.token;
    if (remotes::is_ssh(hook.clone_url)) open_by_ssh(made, wanted, settings, stop);
    return made;
}

void seal_hook(MadeHook& made, const base::KeyRing& keys) {
    auto& hook = made.hook;
    const auto seal = [&](const base::Secret& secret) {
        return secret.empty() ? "" : keys.seal(secret.reveal(), context_of_hook(hook.id));
    };
    hook.sealed_secret = seal(made.secret);
    hook.sealed_token = seal(made.token);
    hook.sealed_ssh_key = seal(made.ssh_key);
}

base::Secret secret_of(const apps::Hook& hook, const base::KeyRing& keys) {
    return keys.unseal(hook.sealed_secret, context_of_hook(hook.id));
}

remotes::Repository repository_of(const apps::Hook& hook, const base::KeyRing& keys) {
    const auto open = [&](const std::string& sealed) {
        return sealed.empty() ? base::Secret() : keys.unseal(sealed, context_of_hook(hook.id));
    };
    return {.url = hook.clone_url,
            .token = open(hook.sealed_token),
            .ssh_key = open(hook.sealed_ssh_key),
            .known_hosts = hook.known_hosts};
}

builder::RemoteCommit source_of(const apps::Hook& hook, const std::string& ref,
                                const std::string& commit) {
    return {.url = hook.clone_url,
            .commit = commit,
            .ref = ref,
            .token = {},
            .ssh_key = {},
            .known_hosts = hook.known_hosts};
}

void add_hook_secrets(builder::Job& job, const std::string& id, apps::Hooks& hooks,
                      const base::KeyRing& keys) {
    auto* commit = std::get_if<builder::RemoteCommit>(&job.source);
    if (!commit || id.empty()) return;
    const auto hook = hooks.find(id);
    if (!hook)
        throw Error(ErrorKind::not_found, "the webhook of this build was removed",
                    "Add it again, then push.");
    // The row's URL, not today's: a credential goes to the host that it was given for.
    if (hook->clone_url != commit->url) return;
    const auto repository = repository_of(*hook, keys);
    commit->token = repository.token;
    commit->ssh_key = repository.ssh_key;
}

} // namespace server
