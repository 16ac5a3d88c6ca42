// One webhook of an app: how it is made from what somebody asks for, and what its row means. Blocks
// where it calls ssh-keygen and ssh-keyscan; any thread.
#pragma once

#include "apps/hooks.h"
#include "builder/job.h"
#include "receiver/webhook.h"
#include "remotes/repository.h"

#include "base/crypto.h"
#include "base/json.h"

#include <string>

namespace server {

struct NewHook {
    std::string app;
    std::string kind;       // "github", ...
    std::string repository; // "owner/repo" or the address of its page
    std::string branch;     // empty: main
    std::string clone_url;  // empty: the forge's usual one
    std::string api_url;    // empty: the forge's usual one
    base::Secret token;
    std::string known_hosts; // of an SSH address; empty: what its host shows now
    std::string options;     // JSON object
};

struct MadeHook {
    apps::Hook hook;
    base::Secret secret; // shown once
    base::Secret token;
    base::Secret ssh_key; // private half
};

// Nothing is sealed yet: this may call the repository's host. Throws Error{invalid_input} that
// names what is wrong; for SSH what remotes/keys.h throws.
MadeHook make_hook(const NewHook& wanted, const remotes::Settings& settings,
                   const base::Stop& stop);
// Puts the secrets into the row: just before it is written, under keys.keep() (base/crypto.h).
void seal_hook(MadeHook& made, const base::KeyRing& keys);

// What a hook's secret, token and key are sealed for (base::KeyRing).
std::string context_of_hook(const std::string& hook);

// Every option with its value: {"pull_requests": false, ...}.
base::json::Value hook_options(const std::string& json);
receiver::WebhookSettings settings_of(const apps::Hook& hook);

base::Secret secret_of(const apps::Hook& hook, const base::KeyRing& keys);
// The repository with what opens it.
remotes::Repository repository_of(const apps::Hook& hook, const base::KeyRing& keys);
// What the row of a build of this commit keeps: without secrets.
builder::RemoteCommit source_of(const apps::Hook& hook, const std::string& ref,
                                const std::string& commit);
// Puts them into the job of a build that came from a webhook; for QueueSettings::add_secrets.
void add_hook_secrets(builder::Job& job, const std::string& hook, apps::Hooks& hooks,
                      const base::KeyRing& keys);

} // namespace server
