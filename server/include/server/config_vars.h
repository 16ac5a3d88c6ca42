// Config vars of apps: names checked, values sealed and opened, and the rotation of the keys. Any
// thread. It refuses to know who asks.
#pragma once

#include "apps/store.h"
#include "apps/variables.h"

#include "base/crypto.h"
#include "base/guarded.h"
#include "base/secret.h"

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace server {

// Throws Error{invalid_input}: not [A-Za-z_][A-Za-z0-9_]*, too long, or a name that Slipway or the
// buildpacks set themselves.
void check_variable_name(std::string_view name);
// Throws Error{invalid_input} for a NUL, Error{limit_exceeded} for one that is too long.
void check_variable_value(std::string_view name, std::string_view value);

struct ConfigVar {
    std::string name;
    base::Secret value;
    apps::VariableUse use = apps::VariableUse::both;
    std::int64_t changed = 0;
};

struct ConfigVarChange {
    enum class Action { set, unset, change_use };
    std::string name;
    Action action = Action::set;
    base::Secret value = {};                   // of set
    std::optional<apps::VariableUse> use = {}; // empty: as it was, or both
};

struct Rotation {
    std::size_t resealed = 0;
    bool forgot_old = false; // false: something is sealed by an old key yet; the next one ends it
};

class ConfigVars {
  public:
    // Both are borrowed.
    ConfigVars(apps::Store& store, base::KeyRing& keys) : store_(store), keys_(keys) {}

    std::vector<apps::Variable> list(std::string_view app); // by name, sealed
    // Throws Error{denied} naming the variable that does not open.
    std::vector<ConfigVar> reveal(std::string_view app);
    // Those that a build is given.
    std::map<std::string, std::string> for_build(std::string_view app);

    // All or nothing. Throws Error{not_found} for an unknown app or the change of use of a variable
    // that is not there, Error{invalid_input} and Error{limit_exceeded} for what the checks refuse.
    void change(const std::string& app, const std::vector<ConfigVarChange>& changes);

    // Everything sealed, also of webhooks and builds, is sealed anew with a fresh key. A server
    // that is killed in the middle goes on with finish_rotation at its next start: both keys open
    // until nothing is sealed by the old one.
    Rotation rotate();
    Rotation finish_rotation();

  private:
    std::size_t reseal_stale();

    apps::Store& store_;
    base::KeyRing& keys_;
    base::Guarded<int> writing_; // one writer: sums are checked before they are written
};

} // namespace server
