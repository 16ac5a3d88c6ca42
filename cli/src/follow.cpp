#include "follow.h"

#include "cli/exit_code.h"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <cstdio>

namespace cli {

using base::Error;
using base::ErrorKind;
using base::json::Value;

namespace {

constexpr int most_failures = 10;
constexpr int longest_pause = 20; // times the shortest

// One reader of one log, with the place where it is.
class Follower {
  public:
    Follower(const ApiClient& api, const std::string& build, std::uint64_t offset,
             const LogSink& sink)
        : api_(api), build_(build), offset_(offset), sink_(sink) {}

    enum class Mode { what_is_there, follow };
    void read(Mode mode) {
        Query query{{"offset", std::to_string(offset_)}};
        if (mode == Mode::follow) query.emplace_back("follow", "");
        api_.stream(api_path({"builds", build_, "log"}), query, [&](std::string_view piece) {
            offset_ += piece.size();
            grew_ = true;
            sink_(piece, offset_);
        });
    }

    // False: the connection broke, or the server ended it before the build was over.
    bool follow_to_end(Value& build) {
        grew_ = false;
        try {
            read(Mode::follow);
        } catch (const Error& error) {
            if (!is_passing(error)) throw;
        }
        // Asked after the log: what the build said between the two is read once more.
        build = member(api_.get(api_path({"builds", build_})), "build");
        if (!is_over(build)) return false;
        read(Mode::what_is_there);
        return true;
    }

    static bool is_passing(const Error& error) {
        return dynamic_cast<const ConnectionLost*>(&error) ||
               error.kind() == ErrorKind::unavailable || error.kind() == ErrorKind::timed_out;
    }

    bool grew() const noexcept { return grew_; }
    std::uint64_t offset() const noexcept { return offset_; }

  private:
    const ApiClient& api_;
    const std::string& build_;
    std::uint64_t offset_;
    const LogSink& sink_;
    bool grew_ = false;
};

std::string go_on(const std::string& build, std::uint64_t offset) {
    return "slipway builds follow " + build + " --offset " + std::to_string(offset) +
           " goes on here.";
}

} // namespace

bool is_over(const Value& build) {
    const auto state = text_of(build, "state");
    for (const char* going : {"received", "queued", "running", "exporting"})
        if (state == going) return false;
    return true;
}

Value follow_log(const ApiClient& api, const std::string& build, std::uint64_t offset,
                 const LogSink& sink, const base::Stop& stop, std::chrono::milliseconds pause) {
    Follower follower(api, build, offset, sink);
    int failures = 0, pauses = 1;
    for (Value row;; pauses = follower.grew() ? 1 : std::min(2 * pauses, longest_pause)) {
        try {
            if (follower.follow_to_end(row)) return row;
            failures = 0;
        } catch (const Error& error) {
            if (stop.requested())
                throw Error(ErrorKind::cancelled, "you stopped watching; the build goes on",
                            go_on(build, follower.offset()) +
                                " To stop the build: slipway "
                                "builds cancel " +
                                build);
            if (!Follower::is_passing(error)) throw;
            failures = follower.grew() ? 1 : failures + 1;
            if (failures >= most_failures)
                throw Error(error.kind(), error.message(), go_on(build, follower.offset()));
        }
        stop.wait(pause * pauses); // a stop is noticed by the next request
    }
}

void read_log(const ApiClient& api, const std::string& build, std::uint64_t offset,
              const LogSink& sink) {
    Follower(api, build, offset, sink).read(Follower::Mode::what_is_there);
}

LogSink log_printer(const Context& context) {
    return [json = context.json](std::string_view piece, std::uint64_t offset) {
        if (json) return print_line(base::json::render({{"text", piece}, {"offset", offset}}));
        std::fwrite(piece.data(), 1, piece.size(), stdout);
        std::fflush(stdout);
    };
}

void watch_build(Context& context, const std::string& id, std::uint64_t offset, LastLine last) {
    const auto build =
        follow_log(context.api(), id, offset, log_printer(context), context.interrupted);
    const auto state = text_of(build, "state");
    if (last == LastLine::digest && context.json)
        print_line(base::json::render({{"build", build}}));
    else if (last == LastLine::digest && state == "published")
        print_line(text_of(build, "digest"));
    context.exit_code = exit_code_of_state(state);
}

void end_or_watch(Context& context, const Value& build, Watch watch) {
    const auto id = text_of(build, "id");
    if (watch == Watch::yes) return watch_build(context, id, 0, LastLine::digest);
    if (context.json) return print_json(build);
    print_line(id);
    std::fprintf(stderr, "       It goes on alone. To see it: slipway builds follow %s\n",
                 id.c_str());
}

} // namespace cli
