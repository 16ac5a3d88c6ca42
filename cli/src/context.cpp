#include "context.h"

#include "base/error.h"
#include "base/text.h"
#include "wire/client.h"

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

Value Context::call(const Value& request, const Sink& on_event) const {
    const auto path = control_socket();
    if (::access(path.c_str(), F_OK) != 0)
        throw base::Error(base::ErrorKind::unavailable, "no server at " + path.string(),
                          "Start slipwayd, or say where it keeps its state with --state DIR.");
    if (::access(path.c_str(), R_OK | W_OK) != 0)
        throw base::Error(base::ErrorKind::denied, "you may not use " + path.string(),
                          "Only root and the server's own user may: try sudo.");
    return wire::call(path, request, on_event, interrupted);
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

std::string time_of(const Value& value, std::string_view name) {
    const auto milliseconds = base::json::find_integer(value, name).value_or(0);
    if (milliseconds == 0) return {};
    const std::time_t seconds = milliseconds / 1000;
    std::tm parts{};
    ::gmtime_r(&seconds, &parts);
    char text[32];
    std::strftime(text, sizeof text, "%Y-%m-%d %H:%M:%S UTC", &parts);
    return text;
}

std::string duration_of(const Value& build) {
    const auto started = base::json::find_integer(build, "started").value_or(0);
    const auto finished = base::json::find_integer(build, "finished").value_or(0);
    if (started == 0 || finished < started) return {};
    return base::human_duration(finished - started);
}

} // namespace cli
