#include "deployment_stream.h"

#include "deployment_shape.h"

#include "apps/builds.h"
#include "apps/store.h"
#include "server/build_log.h"

#include "base/error.h"
#include "base/secret.h"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <chrono>
#include <map>
#include <optional>
#include <poll.h>
#include <vector>

namespace server::api {
namespace {

using base::Error;
using base::ErrorKind;
using base::json::Value;
using http::WebSocketOpcode;
using Clock = std::chrono::steady_clock;

constexpr auto time_to_authenticate = std::chrono::seconds(10);
constexpr auto between_pings = std::chrono::seconds(15); // proxies cut what is silent
constexpr std::int64_t history = 600'000; // milliseconds: builds that ended before are not told
constexpr int most_builds = 20;
constexpr std::size_t longest_frame = 64u << 10;
constexpr std::uint64_t largest_offset = 1ull << 60;
constexpr auto patience = std::chrono::minutes(5); // with a reader that takes no byte
constexpr std::size_t enough_waiting = 256u << 10; // bytes that the reader has not taken yet
constexpr std::string_view policy_violation = "\x03\xf0", going_away = "\x03\xe9";

class DeploymentStream {
  public:
    DeploymentStream(Api& api, Call& call, std::unique_ptr<http::Connection> connection)
        : api_(api), call_(call), connection_(std::move(connection)) {}

    void run() {
        if (!authenticate()) return close(policy_violation);
        const auto app = api_.site().build_events.follow(app_);
        auto pinged = Clock::now();
        bool changed = true;
        while (!left_) {
            app->clear();
            if (changed) list();
            collect();
            const bool ping = Clock::now() - pinged >= between_pings;
            if (ping) {
                if (is_shut_out()) return close(policy_violation); // taken away meanwhile
                send("ping", {}, {{"ts", apps::now_milliseconds() / 1000}});
                pinged = Clock::now();
            }
            if (!flush() || has_stalled() || call_.stop().requested()) break;
            // What another server changed is seen at the next ping.
            changed = wait(app->fd(), pinged + between_pings) || ping || is_behind_;
            read_frames();
        }
        if (!left_) close(going_away);
    }

  private:
    struct Told {
        std::uint64_t offset = 0; // of the log
        std::string status;
        std::shared_ptr<BuildLog::Follower> follower;
        bool over = false;
    };

    // The first frame says who reads; nothing is said before it.
    bool authenticate() {
        const auto until = Clock::now() + time_to_authenticate;
        while (!left_ && Clock::now() < until && !call_.stop().requested()) {
            if (const auto frame = take_frame()) return admit(*frame);
            wait(-1, until);
            read_some();
        }
        return false;
    }

    bool admit(const http::WebSocketFrame& frame) {
        try {
            const auto event = base::json::parse(frame.payload, "the first frame");
            const auto& data = event.at("data");
            token_ = base::Secret(base::json::get_string(data, "token"));
            app_ = call_.parameter("app");
            if (!may_read()) return false;
            resume(data);
            return true;
        } catch (const Error&) {
            return false;
        } catch (const Value::exception&) {
            return false;
        }
    }

    // Who was here before names the bytes of each build's log that it has.
    void resume(const Value& data) {
        const auto offsets = data.find("offsets");
        if (offsets == data.end() || offsets->is_null()) return;
        if (!offsets->is_object()) throw Error(ErrorKind::invalid_input, "offsets are an object");
        for (const auto& [build, offset] : offsets->items()) {
            if (!offset.is_number_unsigned() || offset.get<std::uint64_t>() > largest_offset)
                throw Error(ErrorKind::invalid_input, "an offset is a number of bytes");
            told_[build].offset = offset.get<std::uint64_t>();
        }
    }

    bool may_read() const {
        auto head = call_.head();
        head.headers.erase("authorization");
        head.headers.emplace("authorization", "Bearer " + token_.reveal());
        const auto who = api_.identify(head);
        const auto app = api_.site().store.find_app(app_);
        return app && who.may(app->name, apps::Right::read);
    }

    // Who was let in. A database that does not answer takes nobody's rights away.
    bool is_shut_out() const {
        try {
            return !may_read();
        } catch (const Error& error) {
            return error.kind() != ErrorKind::unavailable;
        }
    }

    void list() {
        builds_ = api_.site().store.builds().list({.app = app_, .limit = most_builds});
        std::reverse(builds_.begin(), builds_.end());
    }

    // The log may say that a build is over before anything else does.
    void refresh(apps::Build& build) {
        if (apps::is_over(build.state)) return;
        const auto live = api_.site().queue.find(build.id);
        if (live && !live->ended()) return;
        if (auto row = api_.site().store.builds().find(build.id)) build = std::move(*row);
    }

    // Everything that changed since the last time, as long as the reader keeps up.
    void collect() {
        const auto oldest = apps::now_milliseconds() - history;
        is_behind_ = true;
        for (auto& build : builds_) {
            if (out_.size() >= enough_waiting) return;
            refresh(build);
            if (!told_.contains(build.id)) {
                if (build.finished != 0 && build.finished < oldest) continue;
                send("new", build.id, {{"deployment", shape_deployment(api_.site(), build)}});
            }
            tell(build, told_[build.id]);
        }
        is_behind_ = out_.size() >= enough_waiting;
    }

    // The log before the status: who hears of the end has seen all lines.
    void tell(const apps::Build& build, Told& told) {
        if (told.over) return;
        const bool ended = apps::is_over(build.state);
        if (!ended) tell_status(build, told);
        const auto live = api_.site().queue.find(build.id);
        if (live && !told.follower) told.follower = live->log().follow();
        if (told.follower) told.follower->clear();
        for (;;) {
            const auto piece = live
                                   ? live->log().read(told.offset)
                                   : read_log_file(api_.site().state.log_of(build.id), told.offset);
            if (piece.text.empty()) {
                // The row ends before the log does: its last lines are still being written.
                if (live && !piece.over) return;
                break;
            }
            tell_lines(build.id, piece.text, piece.next);
            told.offset = piece.next;
            if (out_.size() >= enough_waiting) return;
        }
        if (!ended) return;
        tell_status(build, told);
        told.over = true;
        told.follower.reset();
    }

    // next: the offset behind the text.
    void tell_lines(const std::string& id, std::string_view text, std::uint64_t next) {
        while (!text.empty()) {
            const auto end = std::min(text.find('\n'), text.size() - 1) + 1;
            const auto line = text.substr(0, end);
            text.remove_prefix(end);
            send("log", id, {{"content", line}, {"offset", next - text.size()}});
        }
    }

    void tell_status(const apps::Build& build, Told& told) {
        const auto status = deployment_status(build.state);
        if (told.status == status) return;
        told.status = status;
        send("status", build.id, {{"status", status}});
    }

    void send(const char* type, const std::string& id, Value data) {
        Value event{{"type", type}, {"data", std::move(data)}};
        if (!id.empty()) event["id"] = id;
        out_ += http::render_frame(WebSocketOpcode::text, base::json::render(event));
    }

    // False: the reader is gone.
    bool flush() {
        if (pong_ && out_.size() < enough_waiting) {
            out_ += http::render_frame(WebSocketOpcode::pong, *pong_);
            pong_.reset();
        }
        if (out_.empty()) moved_ = Clock::now();
        while (!out_.empty() && !left_) {
            const auto n = connection_->try_write(out_);
            if (!n) left_ = true;
            if (!n || *n == 0) break;
            moved_ = Clock::now();
            out_.erase(0, *n);
        }
        return !left_;
    }

    bool has_stalled() const { return Clock::now() - moved_ >= patience; }

    // True: something about the app's builds has changed.
    bool wait(int app_fd, Clock::time_point until) {
        std::vector<pollfd> fds{
            {connection_->fd(), static_cast<short>(POLLIN | connection_->wants()), 0},
            {call_.stop().fd(), POLLIN, 0},
            {app_fd, POLLIN, 0}};
        if (out_.empty()) fds[0].events = POLLIN;
        // A reader that does not keep up is not woken for more.
        if (out_.size() < enough_waiting)
            for (const auto& [id, told] : told_)
                if (told.follower) fds.push_back({told.follower->fd(), POLLIN, 0});
        const auto left = std::chrono::ceil<std::chrono::milliseconds>(until - Clock::now());
        ::poll(fds.data(), fds.size(), static_cast<int>(std::max<std::int64_t>(0, left.count())));
        return fds[2].revents != 0;
    }

    void read_some() {
        char buffer[4096];
        const auto n = connection_->try_read(buffer, sizeof buffer);
        if (!n)
            left_ = true;
        else
            in_.append(buffer, *n);
    }

    std::optional<http::WebSocketFrame> take_frame() {
        try {
            return http::take_frame(in_, longest_frame);
        } catch (const Error&) {
            left_ = true;
            return std::nullopt;
        }
    }

    void read_frames() {
        read_some();
        while (const auto frame = take_frame()) {
            // RFC 6455 5.5.3: the newest one may be answered alone. Whoever pings and does not
            // read would fill our memory with the others.
            if (frame->opcode == WebSocketOpcode::ping) pong_ = frame->payload;
            if (frame->opcode == WebSocketOpcode::close) {
                close(frame->payload);
                left_ = true;
            }
        }
    }

    // Best effort: whoever closes does not wait.
    void close(std::string_view code) {
        out_ += http::render_frame(WebSocketOpcode::close, code.substr(0, 2));
        flush();
    }

    Api& api_;
    Call& call_;
    std::unique_ptr<http::Connection> connection_;
    std::string app_;
    base::Secret token_;
    std::vector<apps::Build> builds_;        // the oldest first, as last listed
    std::optional<std::string> pong_;        // that is owed
    Clock::time_point moved_ = Clock::now(); // bytes towards the reader
    bool is_behind_ = false;                 // not all of builds_ is told
    std::map<std::string, Told> told_;
    std::string in_, out_;
    bool left_ = false;
};

} // namespace

void answer_deployment_stream(Api& api, Call& call) {
    auto connection = call.accept_websocket();
    if (!connection)
        throw Error(ErrorKind::invalid_input, "this is followed over a websocket",
                    "Ask with \"Upgrade: websocket\", then send an auth event.");
    DeploymentStream(api, call, std::move(connection)).run();
}

} // namespace server::api
