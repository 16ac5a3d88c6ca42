// The operator's log: one JSON object a line on standard error, through spdlog. User text goes in
// as a value only, so that it cannot forge a line. Any thread.
#pragma once

#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>

namespace base::log {

enum class Level { debug, info, warning, error };

using Fields = std::initializer_list<std::pair<std::string_view, std::string_view>>;

// program: the value of "program" in each line. Called once, by main.
void open(std::string_view program, Level level);

void write(Level level, std::string_view message, Fields fields = {});
inline void debug(std::string_view message, Fields f = {}) {
    write(Level::debug, message, f);
}
inline void info(std::string_view message, Fields f = {}) {
    write(Level::info, message, f);
}
inline void warning(std::string_view message, Fields f = {}) {
    write(Level::warning, message, f);
}
inline void error(std::string_view message, Fields f = {}) {
    write(Level::error, message, f);
}

} // namespace base::log
