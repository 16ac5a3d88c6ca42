#include "apps/variables.h"

#include "apps/database.h"

#include "checks.h"
#include "query.h"

#include "base/error.h"

#include <array>

namespace apps {
namespace {

constexpr std::array use_names{"both", "build", "run"};

Variable read_variable(const soci::row& row) {
    return {text(row, 0), text(row, 1), parse_variable_use(text(row, 2)), number(row, 3)};
}

void write_variables(Session& sql, std::string_view app, const std::vector<Variable>& variables) {
    for (const auto& variable : variables)
        Query(sql,
              "INSERT INTO variables (app, name, sealed, used_by, changed)"
              " VALUES (?, ?, ?, ?, ?) ON CONFLICT (app, name) DO UPDATE SET"
              " sealed = excluded.sealed, used_by = excluded.used_by,"
              " changed = excluded.changed",
              app, variable.name, variable.sealed, to_string(variable.use), variable.changed)
            .execute();
}

std::int64_t remove_variables(Session& sql, std::string_view app,
                              const std::vector<std::string>& names) {
    std::int64_t removed = 0;
    for (const auto& name : names)
        removed +=
            Query(sql, "DELETE FROM variables WHERE app = ? AND name = ?", app, name).execute();
    return removed;
}

} // namespace

std::string_view to_string(VariableUse use) noexcept {
    return use_names[static_cast<std::size_t>(use)];
}

VariableUse parse_variable_use(std::string_view name) {
    for (std::size_t i = 0; i < use_names.size(); ++i)
        if (use_names[i] == name) return static_cast<VariableUse>(i);
    throw base::Error(base::ErrorKind::invalid_input,
                      "\"" + std::string(name) + "\" is no use of a config var",
                      "A config var is used by: both, build, run.");
}

std::vector<Variable> Variables::list(std::string_view app) {
    std::vector<Variable> variables;
    database_.read([&](Session& sql) {
        variables.clear();
        Query(sql,
              "SELECT name, sealed, used_by, changed FROM variables WHERE app = ? ORDER BY name",
              app)
            .each([&](const soci::row& row) { variables.push_back(read_variable(row)); });
    });
    return variables;
}

void Variables::set(std::string_view app, const std::vector<Variable>& variables) {
    change(app, variables, {});
}

int Variables::unset(std::string_view app, const std::vector<std::string>& names) {
    std::int64_t removed = 0;
    database_.write([&](Session& sql) {
        require_app(sql, app);
        removed = remove_variables(sql, app, names);
    });
    return static_cast<int>(removed);
}

void Variables::change(std::string_view app, const std::vector<Variable>& set,
                       const std::vector<std::string>& unset) {
    database_.write([&](Session& sql) {
        require_app(sql, app);
        write_variables(sql, app, set);
        remove_variables(sql, app, unset);
    });
}

std::vector<std::pair<std::string, Variable>> Variables::list_all() {
    std::vector<std::pair<std::string, Variable>> all;
    database_.read([&](Session& sql) {
        all.clear();
        Query(sql, "SELECT name, sealed, used_by, changed, app FROM variables ORDER BY app, name")
            .each(
                [&](const soci::row& row) { all.emplace_back(text(row, 4), read_variable(row)); });
    });
    return all;
}

} // namespace apps
