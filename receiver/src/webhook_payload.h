// Payloads of the forges, once the signature holds: each reader fills in the event from the
// object. Pure; any thread. A member of another type than the forge's is as one that is not there,
// but for those that decide: then Error{invalid_input}.
#pragma once

#include "payload_members.h"

#include "receiver/webhook.h"

#include "base/json.h"

namespace receiver {

// The members that the readers below look at; a new one belongs here as well.
const PayloadMembers& members_of(Forge forge);

// GitHub's shape, which Gitea and Forgejo send as well, but for a few words.
void read_github(const base::json::Value& payload, WebhookEvent& event);
void read_gitlab(const base::json::Value& payload, WebhookEvent& event);
// {"repo", "ref", "sha", "before"?}, or the event "ping".
void read_generic(const base::json::Value& payload, WebhookEvent& event);

} // namespace receiver
