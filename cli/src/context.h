// What every command shares: where the server is, how to print, how the program ends.
#pragma once

#include "base/error.h"
#include "base/json.h"
#include "base/stop.h"

#include <nlohmann/json_fwd.hpp>

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace CLI {
class App;
class Option;
} // namespace CLI

namespace cli {

// Of the ids that builds run as, when root starts them: the default of the server's
// sandbox.first_id.
inline constexpr unsigned first_id_of_root = 231072;

class ApiClient;

struct Context {
    Context();
    ~Context();

    bool json = false;
    std::string socket; // as given; empty: below the state directory
    std::string state;
    std::string server, ca_file; // as given
    std::string version;
    int exit_code = 0;
    base::Stop interrupted; // SIGINT, SIGTERM

    std::filesystem::path state_directory() const;
    std::filesystem::path control_socket() const;
    // The server that the flags, the variables and the logins name (credentials.h), found at the
    // first call. Throws as choose_endpoint does, and Error{unavailable | denied} when there is no
    // local socket or it may not be used.
    const ApiClient& api() const;

  private:
    mutable std::unique_ptr<ApiClient> api_;
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
// "2026-01-31 12:00:00 UTC" of the API's "2026-01-31T12:00:00.000Z"; "" for null
std::string time_of(const base::json::Value& value, std::string_view name);
// Milliseconds since 1970 of such a time; 0 for null and for what is no time.
std::int64_t milliseconds_of(const base::json::Value& value, std::string_view name);
std::string duration_of(const base::json::Value& build); // of a build, or ""
std::string join(const std::vector<std::string>& words, std::string_view between);

// The app of a command with nothing else behind it: APP, -a APP or --app APP.
CLI::Option* add_app_option(CLI::App& command, const std::shared_ptr<std::string>& app);

// APP and what follows it. With -a APP (which may stand anywhere) all words are what follows.
struct AppWords {
    std::string app;
    std::vector<std::string> words;
};
// usage: "APP KEY=VALUE...", for the help text. Read it with take_app, once the line is parsed.
std::shared_ptr<AppWords> add_app_words(CLI::App& command, const std::string& usage);
// Throws Error{invalid_input} when there is no app, or not `least` to `most` words behind it.
AppWords take_app(const AppWords& given, const std::string& usage, std::size_t least,
                  std::size_t most);

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
void add_login(CLI::App& root, Context& context);
void add_tokens(CLI::App& root, Context& context);
void add_config(CLI::App& root, Context& context);
void add_deploy(CLI::App& root, Context& context);
void add_webhooks(CLI::App& root, Context& context);
void add_notifications(CLI::App& root, Context& context);
void add_verify(CLI::App& root, Context& context);
void add_inspect(CLI::App& root, Context& context);
void add_rebase(CLI::App& root, Context& context);
void add_copy(CLI::App& root, Context& context);
void add_index(CLI::App& root, Context& context);
void add_prune(CLI::App& root, Context& context);
void add_completion(CLI::App& root, Context& context);

} // namespace cli
