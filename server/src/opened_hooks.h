// What webhooks' rows mean, worked out once: a row is read, its secret unsealed and its options
// parsed when it says something new, not for each delivery. Whoever decides by it lets the store
// compare it with the row of that moment (Hooks::record): a change counts at once, whether it was
// made here or on another server. Any thread.
#pragma once

#include "webhook_hook.h"

#include "base/guarded.h"

#include <map>
#include <memory>
#include <string>

namespace server {

struct OpenedHook {
    apps::Hook row; // as it was read; `head` and `checked` are older than the store's
    base::Secret secret;
    receiver::WebhookSettings settings;
};

class OpenedHooks {
  public:
    explicit OpenedHooks(const base::KeyRing& keys) : keys_(keys) {}

    // As it was opened last; null: nobody has.
    std::shared_ptr<const OpenedHook> find(std::string_view id);
    // The same one again while the row says the same. Throws what unsealing throws, and
    // Error{invalid_input} for options that cannot be read.
    std::shared_ptr<const OpenedHook> open(const apps::Hook& row);
    void forget(std::string_view id); // of one that was removed

  private:
    const base::KeyRing& keys_;
    base::Guarded<std::map<std::string, std::shared_ptr<const OpenedHook>, std::less<>>> opened_;
};

} // namespace server
