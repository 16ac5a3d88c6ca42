#include "opened_hooks.h"

namespace server {
namespace {

// In all that a delivery is decided by.
bool say_the_same(const apps::Hook& one, const apps::Hook& other) {
    return one.kind == other.kind && one.repository == other.repository &&
           one.repository_id == other.repository_id && one.branch == other.branch &&
           one.sealed_secret == other.sealed_secret && one.options == other.options;
}

} // namespace

std::shared_ptr<const OpenedHook> OpenedHooks::find(std::string_view id) {
    auto opened = opened_.lock();
    const auto it = opened->find(id);
    return it == opened->end() ? nullptr : it->second;
}

std::shared_ptr<const OpenedHook> OpenedHooks::open(const apps::Hook& row) {
    if (auto known = find(row.id); known && say_the_same(known->row, row)) return known;
    auto fresh = std::make_shared<const OpenedHook>(
        OpenedHook{row, secret_of(row, keys_), settings_of(row)});
    (*opened_.lock())[row.id] = fresh;
    return fresh;
}

void OpenedHooks::forget(std::string_view id) {
    auto opened = opened_.lock();
    if (const auto it = opened->find(id); it != opened->end()) opened->erase(it);
}

} // namespace server
