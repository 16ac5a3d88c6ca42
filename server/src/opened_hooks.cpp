#include "opened_hooks.h"

namespace server {
namespace {

// All that the secret and the settings are made of.
bool is_of(const OpenedHook& opened, const apps::Hook& row) {
    return opened.sealed_secret == row.sealed_secret && opened.options == row.options &&
           opened.settings.repository == row.repository &&
           opened.settings.repository_id == row.repository_id &&
           opened.settings.branch == row.branch;
}

} // namespace

std::shared_ptr<const OpenedHook> OpenedHooks::open(const apps::Hook& row) {
    {
        auto opened = opened_.lock();
        const auto it = opened->find(row.id);
        if (it != opened->end() && is_of(*it->second, row)) return it->second;
    }
    auto fresh = std::make_shared<const OpenedHook>(
        OpenedHook{row.sealed_secret, row.options, secret_of(row, keys_), settings_of(row)});
    (*opened_.lock())[row.id] = fresh;
    return fresh;
}

void OpenedHooks::forget(std::string_view id) {
    auto opened = opened_.lock();
    if (const auto it = opened->find(id); it != opened->end()) opened->erase(it);
}

} // namespace server
