#include "build_records.h"

#include "base/error.h"
#include "base/fd.h"

#include <nlohmann/json.hpp>

#include <array>
#include <fcntl.h>
#include <sstream>

namespace server {
namespace {

constexpr std::array names{"detection", "report", "materials"};
constexpr std::size_t largest_file = 64u << 20;

std::filesystem::path file_of(const std::filesystem::path& logs, const std::string& build,
                              const std::string& name) {
    for (const auto* known : names)
        if (name == known) return logs / (build + "." + name + ".json");
    throw base::Error(base::ErrorKind::invalid_input, "there is no record of this name");
}

} // namespace

void append_record(const std::filesystem::path& logs, const std::string& build,
                   const std::string& name, std::string_view json) {
    const auto file =
        base::open_file(file_of(logs, build, name), O_WRONLY | O_CREAT | O_APPEND, 0600);
    base::write_all(file.get(), std::string(json) + "\n");
}

base::json::Value read_records(const std::filesystem::path& logs, const std::string& build,
                               const std::string& name) {
    auto records = base::json::Value::array();
    const auto file = file_of(logs, build, name);
    if (!std::filesystem::exists(file)) return records;
    std::istringstream lines(base::read_file(file, largest_file));
    for (std::string line; std::getline(lines, line);) {
        try {
            records.push_back(base::json::parse(line, file.string()));
        } catch (const base::Error&) { // a full disk tore it; the others are whole
        }
    }
    return records;
}

void remove_records(const std::filesystem::path& logs, const std::string& build) {
    std::error_code ignored;
    for (const auto* name : names) std::filesystem::remove(file_of(logs, build, name), ignored);
}

} // namespace server
