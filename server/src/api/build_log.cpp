// A build's log over HTTP: from a byte offset, as text or as server-sent events, to where it ends
// or for as long as it grows.
#include "api.h"
#include "shapes.h"

#include "apps/store.h"
#include "server/build_log.h"

#include "base/error.h"

#include <nlohmann/json.hpp>

#include <charconv>
#include <poll.h>

namespace server::api {

using base::Error;
using base::ErrorKind;

namespace {

// Something comes through a silent connection at least this often: proxies cut those that rest.
constexpr int heartbeat_milliseconds = 15'000;

std::uint64_t parse_offset(const std::string& name, const std::string& text) {
    std::uint64_t offset = 0;
    const auto [end, failure] = std::from_chars(text.data(), text.data() + text.size(), offset);
    if (failure != std::errc() || end != text.data() + text.size() || offset > (1ull << 60))
        throw FieldError(name, name + " must be an offset in bytes");
    return offset;
}

// What a reader asked for.
struct Wanted {
    std::uint64_t offset = 0;
    bool events = false;
    bool follow = false;
};

Wanted parse_wanted(const Call& call) {
    Wanted wanted;
    wanted.events =
        call.head().header("accept").value_or("").find("text/event-stream") != std::string::npos;
    // Events that do not go on would be asked for again and again by a browser.
    const auto follow = call.query("follow");
    wanted.follow = wanted.events || (follow && *follow != "false" && *follow != "0");
    if (const auto offset = call.query("offset")) wanted.offset = parse_offset("offset", *offset);
    if (const auto last = call.head().header("last-event-id"); last && wanted.events)
        wanted.offset = parse_offset("Last-Event-ID", *last);
    return wanted;
}

// Each line of the text a line of data, the offset after them the event's id.
std::string render_event(const LogPiece& piece) {
    std::string event = "id: " + std::to_string(piece.next) + "\nevent: log\n";
    std::string_view text = piece.text;
    while (!text.empty()) {
        const auto end = std::min(text.find('\n'), text.size());
        event += "data: " + std::string(text.substr(0, end)) + "\n";
        text.remove_prefix(std::min(end + 1, text.size()));
    }
    return event + "\n";
}

void write_piece(Call& call, const Wanted& wanted, const LogPiece& piece) {
    if (!piece.text.empty())
        call.exchange().write(wanted.events ? render_event(piece) : piece.text);
}

// From the file: all that is there of a build that has ended.
void write_rest(Api& api, Call& call, const Wanted& wanted, std::uint64_t offset) {
    for (;;) {
        const auto piece = read_log_file(api.site().state.log_of(call.build().id), offset);
        write_piece(call, wanted, piece);
        offset = piece.next;
        if (piece.over) return;
    }
}

void write_growing(Call& call, const Wanted& wanted, LiveBuild& build) {
    auto offset = wanted.offset;
    const auto follower = build.log().follow();
    for (;;) {
        follower->clear();
        const auto piece = build.log().read(offset);
        write_piece(call, wanted, piece);
        offset = piece.next;
        if (piece.over) return;
        if (!piece.text.empty()) continue;
        pollfd fds[] = {{follower->fd(), POLLIN, 0},
                        {call.exchange().fd(), POLLRDHUP, 0},
                        {call.stop().fd(), POLLIN, 0}};
        const int ready = ::poll(fds, 3, heartbeat_milliseconds);
        call.stop().throw_if_over("following the log");
        if (call.exchange().peer_left()) throw Error(ErrorKind::unavailable, "the reader left");
        if (ready == 0 && wanted.events) call.exchange().write(": still there\n\n");
    }
}

void follow(Api& api, Call& call, const Wanted& wanted) {
    const auto live = api.site().queue.find(call.build().id);
    call.start(200,
               {{"Content-Type", wanted.events ? "text/event-stream" : "text/plain; charset=utf-8"},
                {"X-Accel-Buffering", "no"}}); // nginx would hold it back
    if (live)
        write_growing(call, wanted, *live);
    else
        write_rest(api, call, wanted, wanted.offset);
    if (wanted.events) {
        const auto build = api.site().store.find_build(call.build().id).value_or(call.build());
        call.exchange().write("event: build\ndata: " + base::json::render(shape_build(build)) +
                              "\n\n");
    }
    call.exchange().finish();
}

// What is there now. Its end stands in a header, so it is settled before the first byte goes.
void send_snapshot(Api& api, Call& call, const Wanted& wanted) {
    const auto file = api.site().state.log_of(call.build().id);
    const auto end = end_of_log_file(file);
    call.start(200, {{"Content-Type", "text/plain; charset=utf-8"},
                     {"Slipway-Log-Offset", std::to_string(std::max(end, wanted.offset))}});
    for (auto offset = wanted.offset; offset < end;) {
        auto piece = read_log_file(file, offset);
        if (piece.text.empty()) break;
        if (piece.next > end) piece.text.resize(static_cast<std::size_t>(end - offset));
        offset = piece.next;
        call.exchange().write(piece.text);
    }
    call.exchange().finish();
}

} // namespace

void answer_log(Api& api, Call& call) {
    const auto wanted = parse_wanted(call);
    if (wanted.follow)
        follow(api, call, wanted);
    else
        send_snapshot(api, call, wanted);
}

} // namespace server::api
