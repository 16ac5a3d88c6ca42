// Config vars of apps, values sealed by base::KeyRing with the context "app/APP/NAME": this table
// never holds a plain value. Any thread.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace apps {

class Database;

enum class VariableUse { both, build, run };
std::string_view to_string(VariableUse use) noexcept;
VariableUse parse_variable_use(std::string_view name); // throws Error{invalid_input}

struct Variable {
    std::string name;
    std::string sealed;
    VariableUse use = VariableUse::both;
    std::int64_t changed = 0;
};

class Variables {
  public:
    explicit Variables(Database& database) : database_(database) {}
    std::vector<Variable> list(std::string_view app); // by name
    // All or nothing. Throws Error{not_found} for an unknown app.
    void set(std::string_view app, const std::vector<Variable>& variables);
    // Names that are not there are fine; returns how many were.
    int unset(std::string_view app, const std::vector<std::string>& names);
    // Both in one transaction.
    void change(std::string_view app, const std::vector<Variable>& set,
                const std::vector<std::string>& unset);
    std::vector<std::pair<std::string, Variable>> list_all(); // app, variable: for a rotation

  private:
    Database& database_;
};

} // namespace apps
