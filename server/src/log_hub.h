// One thread that writes the logs of builds to everyone who follows them over HTTP. A piece of a
// log is read and rendered once for all who are at the same place; a slow reader is never waited
// for and holds no more than one piece: it goes on from its own offset when it takes bytes again.
// The server's main owns it; any thread may add a reader. It refuses to know who may read what.
#pragma once

#include "server/build_log.h"

#include "base/fd.h"
#include "base/guarded.h"
#include "base/task_group.h"
#include "http/server.h"

#include <atomic>
#include <chrono>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace server {

// How a reader sees a log. Formats of one name must render one log alike: they share what was
// rendered. Called on the hub's thread.
struct LogFormat {
    std::string name;
    std::function<std::string(const LogPiece&)> render;
    // Said once the log is over, before the connection is closed; may be empty.
    std::function<std::string()> last = {};
    // Said to a reader that got nothing for a while; a websocket is pinged instead.
    std::string heartbeat = {};
};

// The text as it is, for "text/plain".
LogFormat text_log_format();
// Server-sent events: "log" with the offset after it as its id; at the end "build" with `build`'s
// JSON.
LogFormat event_log_format(std::function<std::string()> build);

enum class LogFraming { plain, chunked, websocket };

struct LogReader {
    std::unique_ptr<http::Connection> connection; // empty (an answer to HEAD): nothing is done
    LogFraming framing = LogFraming::plain;
    std::shared_ptr<BuildLog> log;   // of a build that goes on; empty:
    std::filesystem::path file = {}; // of one that has ended
    std::uint64_t offset = 0;
    LogFormat format;
};

class LogHub {
  public:
    struct Settings {
        std::chrono::milliseconds heartbeat{15000};
        std::chrono::milliseconds patience{300000}; // with a reader that takes no byte
    };
    explicit LogHub(Settings settings);
    LogHub() : LogHub(Settings()) {}
    ~LogHub(); // closes what is open

    // The reader belongs to the hub until its log is over or its client leaves.
    void add(LogReader reader);
    std::size_t readers() const noexcept { return readers_; }

  private:
    class Loop;

    const Settings settings_;
    base::UniqueFd wake_;
    base::Guarded<std::vector<LogReader>> added_;
    std::atomic<std::size_t> readers_ = 0;
    base::TaskGroup thread_; // the last member: it uses all the others
};

} // namespace server
