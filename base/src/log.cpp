#include "base/log.h"

#include <nlohmann/json.hpp>
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

namespace base::log {
namespace {

spdlog::level::level_enum to_spdlog(Level level) {
    switch (level) {
    case Level::debug:
        return spdlog::level::debug;
    case Level::info:
        return spdlog::level::info;
    case Level::warning:
        return spdlog::level::warn;
    case Level::error:
        return spdlog::level::err;
    }
    return spdlog::level::info;
}

} // namespace

void open(std::string_view program, Level level) {
    auto logger = spdlog::stderr_logger_mt(std::string(program));
    // The message is the rest of the object: write() renders it.
    logger->set_pattern(R"({"time":"%Y-%m-%dT%H:%M:%S.%eZ","level":"%l","program":"%n",%v})",
                        spdlog::pattern_time_type::utc);
    logger->set_level(to_spdlog(level));
    spdlog::set_default_logger(std::move(logger));
}

void write(Level level, std::string_view message, Fields fields) {
    const auto spdlog_level = to_spdlog(level);
    if (!spdlog::should_log(spdlog_level)) return;
    nlohmann::ordered_json line;
    line["message"] = message;
    for (const auto& [name, value] : fields) line[std::string(name)] = value;
    // Invalid UTF-8 is replaced: a log line must not fail.
    const auto text = line.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
    spdlog::log(spdlog_level, "{}", std::string_view(text).substr(1, text.size() - 2));
}

} // namespace base::log
