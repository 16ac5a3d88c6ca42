// What every command shares: where the server is, how to print, how the program ends.
#pragma once

#include "base/error.h"
#include "base/json.h"
#include "base/stop.h"

#include <nlohmann/json_fwd.hpp>

#include <filesystem>
#include <functional>
#include <initializer_list>
#include <string>
#include <string_view>
#include <vector>

namespace CLI {
class App;
}

namespace cli {

// Of the ids that builds run as, when root starts them: the default of the server's
// sandbox.first_id.
inline constexpr unsigned first_id_of_root = 231072;

struct Context {
    bool json = false;
    std::string socket; // as given; empty: below the state directory
    std::string state;
    std::string version;
    int exit_code = 0;
    base::Stop interrupted; // SIGINT, SIGTERM

    std::filesystem::path state_directory() const;
    std::filesystem::path control_socket() const;
    using Sink = std::function<void(const base::json::Value& event)>;
    base::json::Value call(const base::json::Value& request, const Sink& on_event = {}) const;
};

// bin/../share/slipway of an installation or a build tree.
std::filesystem::path share_directory();
std::filesystem::path program_directory();

// Standard output. With --json a command prints one document.
void print_line(std::string_view line);
void print_json(const base::json::Value& value);
// Standard error.
void print_error(const base::Error& error, bool json);

using Row = std::vector<std::string>;
void print_table(const Row& header, const std::vector<Row>& rows);
void print_fields(const std::vector<std::pair<std::string, std::string>>& fields);

std::string text_of(const base::json::Value& value, std::string_view name); // "" for null
std::string time_of(const base::json::Value& value,
                    std::string_view name);              // "2026-01-31 12:00:00 UTC"
std::string duration_of(const base::json::Value& build); // of a build, or ""

// Each adds one noun.
void add_apps(CLI::App& root, Context& context);
void add_keys(CLI::App& root, Context& context);
void add_builds(CLI::App& root, Context& context);
void add_stack(CLI::App& root, Context& context);
void add_doctor(CLI::App& root, Context& context);
void add_build(CLI::App& root, Context& context);
void add_buildpacks(CLI::App& root, Context& context);
void add_buildpack(CLI::App& root, Context& context);
void add_builder(CLI::App& root, Context& context);

} // namespace cli
