#include "build_options.h"

#include "base/error.h"
#include "base/json.h"

#include <nlohmann/json.hpp>

namespace server {
namespace {

using base::json::Value;

std::string context_of(const apps::Build& row) {
    return "build/" + row.id;
}

Value parse(const apps::Build& row) {
    return row.options.empty() ? Value::object()
                               : base::json::parse(row.options, "a build's options");
}

const base::KeyRing& need(const base::KeyRing* keys) {
    if (keys) return *keys;
    throw base::Error(base::ErrorKind::unavailable,
                      "the server has no key to seal the build's variables with");
}

} // namespace

void write_options(const builder::BuildOptions& options, const base::KeyRing* keys,
                   apps::Build& row) {
    Value value = Value::object();
    if (!options.buildpacks.empty()) value["buildpacks"] = options.buildpacks;
    if (options.no_cache) value["no_cache"] = true;
    if (options.dry_run) value["dry_run"] = true;
    if (options.verbose) value["verbose"] = true;
    if (options.of_stranger) value["of_stranger"] = true;
    row.options = value.empty() ? "" : base::json::render(value);
    if (options.environment.empty()) return;
    Value environment = Value::object();
    for (const auto& [name, secret] : options.environment) environment[name] = secret.reveal();
    row.sealed = need(keys).seal(base::json::render(environment), context_of(row));
}

builder::BuildOptions read_options(const apps::Build& row, const base::KeyRing* keys) {
    const auto value = parse(row);
    builder::BuildOptions options;
    options.buildpacks = base::json::get_strings(value, "buildpacks");
    options.no_cache = base::json::find_bool(value, "no_cache", false);
    options.dry_run = base::json::find_bool(value, "dry_run", false);
    options.verbose = base::json::find_bool(value, "verbose", false);
    options.of_stranger = base::json::find_bool(value, "of_stranger", false);
    if (row.sealed.empty()) return options;
    const auto opened = need(keys).unseal(row.sealed, context_of(row));
    const auto environment = base::json::parse(opened.reveal(), "a build's variables");
    for (const auto& [name, text] : environment.items())
        options.environment.emplace(name, base::Secret(text.get<std::string>()));
    return options;
}

std::string rebase_of(const apps::Build& row) {
    return row.door == "rebase" ? base::json::find_string(parse(row), "rebase_of").value_or("")
                                : std::string();
}

bool is_dry_run(const apps::Build& row) {
    return base::json::find_bool(parse(row), "dry_run", false);
}

bool is_of_stranger(const apps::Build& row) {
    return base::json::find_bool(parse(row), "of_stranger", false);
}

void apply_options(const builder::BuildOptions& options, builder::Job& job) {
    if (!options.buildpacks.empty())
        job.buildpacks = {options.buildpacks, "the options of this build"};
    for (const auto& [name, secret] : options.environment) {
        job.environment.insert_or_assign(name, secret.reveal());
        job.operator_variables.erase(name);
    }
    if (options.no_cache) job.no_cache = true;
    if (options.verbose) job.verbose = true;
    if (options.dry_run) job.mode = builder::Mode::detect;
}

} // namespace server
