#include "context.h"

#include "api_client.h"
#include "credentials.h"

#include "base/error.h"
#include "base/text.h"

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <sstream>
#include <unistd.h>

namespace cli {

using base::json::Value;

std::filesystem::path Context::state_directory() const {
    if (!state.empty()) return state;
    const char* variable = std::getenv("SLIPWAY_STATE");
    return variable && *variable ? variable : "/var/lib/slipway";
}

std::filesystem::path Context::control_socket() const {
    return socket.empty() ? state_directory() / "run" / "control.sock"
                          : std::filesystem::path(socket);
}

Context::Context() = default;
Context::~Context() = default;

namespace {

std::string variable(const char* name) {
    const char* value = std::getenv(name);
    return value ? value : "";
}

void check_local_socket(const std::filesystem::path& path) {
    if (::access(path.c_str(), F_OK) != 0)
        throw base::Error(base::ErrorKind::unavailable, "no server at " + path.string(),
                          "Start slipwayd, say where it keeps its state with --state DIR, or log "
                          "in to a server elsewhere: slipway login URL");
    if (::access(path.c_str(), R_OK | W_OK) != 0)
        throw base::Error(base::ErrorKind::denied, "you may not use " + path.string(),
                          "Only root and the server's own user may: try sudo.");
}

} // namespace

const ApiClient& Context::api() const {
    if (api_) return *api_;
    EndpointWish wish{.server = server,
                      .socket = socket,
                      .state_given = !state.empty(),
                      .ca_file = ca_file.empty() ? variable("SLIPWAY_CA_FILE") : ca_file,
                      .server_variable = variable("SLIPWAY_SERVER"),
                      .state_variable = !variable("SLIPWAY_STATE").empty(),
                      .token = base::Secret(variable("SLIPWAY_TOKEN")),
                      .control = control_socket()};
    auto endpoint =
        choose_endpoint(wish, [] { return Credentials::read(Credentials::usual_file()); });
    if (!endpoint.is_remote()) check_local_socket(endpoint.socket);
    api_ = std::make_unique<ApiClient>(std::move(endpoint), version, interrupted);
    return *api_;
}

std::filesystem::path program_directory() {
    return std::filesystem::read_symlink("/proc/self/exe").parent_path();
}

std::filesystem::path share_directory() {
    return std::filesystem::weakly_canonical(program_directory() / "../share/slipway");
}

void print_line(std::string_view line) {
    std::fwrite(line.data(), 1, line.size(), stdout);
    std::fputc('\n', stdout);
    std::fflush(stdout);
}

void print_error(const base::Error& error, bool json) {
    if (json) {
        const Value value{{"error",
                           {{"kind", base::to_string(error.kind())},
                            {"message", error.message()},
                            {"hint", error.hint()}}}};
        std::fprintf(stderr, "%s\n", base::json::render(value).c_str());
        return;
    }
    // A message may bring the last lines of another program with it.
    std::istringstream lines(error.describe());
    for (std::string line; std::getline(lines, line);)
        std::fprintf(stderr, " !     %s\n", base::printable(line).c_str());
    if (!error.hint().empty())
        std::fprintf(stderr, "       %s\n", base::printable(error.hint()).c_str());
}

void print_json(const Value& value) {
    print_line(value.dump(2, ' ', false, Value::error_handler_t::replace));
}

void print_table(const Row& header, const std::vector<Row>& rows) {
    std::vector<std::size_t> widths;
    for (const auto& title : header) widths.push_back(title.size());
    for (const auto& row : rows)
        for (std::size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], row[i].size());
    const auto print_row = [&](const Row& row) {
        std::string line;
        for (std::size_t i = 0; i < row.size(); ++i) {
            line += row[i];
            if (i + 1 < row.size()) line.append(widths[i] - row[i].size() + 2, ' ');
        }
        print_line(line);
    };
    print_row(header);
    for (const auto& row : rows) print_row(row);
}

void print_fields(const std::vector<std::pair<std::string, std::string>>& fields) {
    std::size_t width = 0;
    for (const auto& field : fields) width = std::max(width, field.first.size());
    for (const auto& [name, value] : fields)
        if (!value.empty())
            print_line(name + ":" + std::string(width - name.size() + 1, ' ') + value);
}

std::string text_of(const Value& value, std::string_view name) {
    return base::printable(base::json::find_string(value, name).value_or(""));
}

std::int64_t milliseconds_of(const Value& value, std::string_view name) {
    const auto text = base::json::find_string(value, name).value_or("");
    std::tm parts{};
    const char* rest = ::strptime(text.c_str(), "%Y-%m-%dT%H:%M:%S", &parts);
    if (!rest) return 0;
    std::int64_t milliseconds = 0;
    if (*rest == '.')
        milliseconds = static_cast<std::int64_t>(std::strtod(rest, nullptr) * 1000 + 0.5);
    return static_cast<std::int64_t>(::timegm(&parts)) * 1000 + milliseconds;
}

std::string time_of(const Value& value, std::string_view name) {
    const auto milliseconds = milliseconds_of(value, name);
    if (milliseconds == 0) return {};
    const std::time_t seconds = milliseconds / 1000;
    std::tm parts{};
    ::gmtime_r(&seconds, &parts);
    char text[32];
    std::strftime(text, sizeof text, "%Y-%m-%d %H:%M:%S UTC", &parts);
    return text;
}

std::string duration_of(const Value& build) {
    const auto started = milliseconds_of(build, "started_at");
    const auto finished = milliseconds_of(build, "finished_at");
    if (started == 0 || finished < started) return {};
    return base::human_duration(finished - started);
}

std::string join(const std::vector<std::string>& words, std::string_view between) {
    std::string text;
    for (const auto& word : words) (text += text.empty() ? "" : between) += word;
    return text;
}

CLI::Option* add_app_option(CLI::App& command, const std::shared_ptr<std::string>& app) {
    return command.add_option("-a,--app,app", *app, "the app's name")->required();
}

std::shared_ptr<AppWords> add_app_words(CLI::App& command, const std::string& usage) {
    auto given = std::make_shared<AppWords>();
    command.add_option("-a,--app", given->app, "the app's name, in place of the first word");
    command.add_option("words", given->words, usage)->option_text(" ");
    command.footer("Usage: " + usage);
    return given;
}

AppWords take_app(const AppWords& given, const std::string& usage, std::size_t least,
                  std::size_t most) {
    AppWords taken = given;
    if (taken.app.empty() && !taken.words.empty()) {
        taken.app = taken.words.front();
        taken.words.erase(taken.words.begin());
    }
    if (taken.app.empty() || taken.words.size() < least || taken.words.size() > most)
        throw base::Error(base::ErrorKind::invalid_input,
                          taken.app.empty() ? "the app's name is missing"
                          : taken.words.size() < least
                              ? "something is missing behind the app's name"
                              : "there is too much behind the app's name",
                          "It is: " + usage);
    return taken;
}

} // namespace cli
