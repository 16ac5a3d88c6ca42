// A build's log to its end, however often the connection breaks: it goes on at the byte where it
// was. main's thread.
#pragma once

#include "api_client.h"
#include "context.h"

#include <chrono>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

namespace cli {

bool is_over(const base::json::Value& build);

// offset: of the byte behind the piece.
using LogSink = std::function<void(std::string_view piece, std::uint64_t offset)>;

// Returns the build once it is over and its whole log was handed out. A server that does not answer
// is asked again with growing pauses (from `pause` to 20 times that); after ten in a row
// Error{unavailable} says at which offset to go on.
base::json::Value follow_log(const ApiClient& api, const std::string& build, std::uint64_t offset,
                             const LogSink& sink, const base::Stop& stop,
                             std::chrono::milliseconds pause = std::chrono::milliseconds(500));

// What is there of it now.
void read_log(const ApiClient& api, const std::string& build, std::uint64_t offset,
              const LogSink& sink);

// Prints pieces as a person reads them, or with --json one document a piece.
LogSink log_printer(const Context& context);

// Follows a build at the terminal and sets the program's exit code to how the build ended.
enum class LastLine { none, digest }; // with --json the whole build
void watch_build(Context& context, const std::string& build, std::uint64_t offset, LastLine last);

// Of a build that this program just started: watches it, or says how to.
enum class Watch { no, yes };
void end_or_watch(Context& context, const base::json::Value& build, Watch watch);

} // namespace cli
