// What webhooks' rows mean, worked out once: a secret is unsealed and options are read when a row
// says something new, not for each delivery. The row itself is read each time, so that whoever
// changes it, here or on another server, changes this at once. Any thread.
#pragma once

#include "webhook_hook.h"

#include "base/guarded.h"

#include <map>
#include <memory>
#include <string>

namespace server {

struct OpenedHook {
    std::string sealed_secret, options; // of the row
    base::Secret secret;
    receiver::WebhookSettings settings;
};

class OpenedHooks {
  public:
    explicit OpenedHooks(const base::KeyRing& keys) : keys_(keys) {}

    // Throws what unsealing throws, and Error{invalid_input} for options that cannot be read.
    std::shared_ptr<const OpenedHook> open(const apps::Hook& row);
    void forget(std::string_view id); // of one that was removed

  private:
    const base::KeyRing& keys_;
    base::Guarded<std::map<std::string, std::shared_ptr<const OpenedHook>, std::less<>>> opened_;
};

} // namespace server
