// Signed webhooks to whoever asked to be told, by the Standard Webhooks specification 1.0.0
// (standardwebhooks.com): webhook-id, webhook-timestamp, and webhook-signature, which is
// "v1," and the base64 of HMAC-SHA256 over "id.timestamp.body". Values only; any thread.
#pragma once

#include "base/secret.h"
#include "http/client.h"

#include <cstdint>
#include <string>

namespace forges {

// "whsec_" and the base64 of 32 random bytes.
base::Secret make_event_secret();

// Throws Error{invalid_input} for a secret of another form.
http::Request render_event(const std::string& url, const base::Secret& secret,
                           const std::string& id, std::int64_t seconds, std::string body);

} // namespace forges
