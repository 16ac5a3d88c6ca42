// A build's log over HTTP: from a byte offset, as text or as server-sent events, to where it ends
// or for as long as it grows.
#include "api.h"
#include "shapes.h"

#include "apps/store.h"
#include "server/build_log.h"

#include "base/error.h"

#include <nlohmann/json.hpp>

#include <charconv>

namespace server::api {

using base::Error;
using base::ErrorKind;

namespace {

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

// The connection goes to the hub, which writes until the log is over or the reader leaves.
void follow(Api& api, Call& call, const Wanted& wanted) {
    const auto live = api.site().queue.find(call.build().id);
    call.start(200,
               {{"Content-Type", wanted.events ? "text/event-stream" : "text/plain; charset=utf-8"},
                {"Connection", "close"},
                {"X-Accel-Buffering", "no"}}); // nginx would hold it back
    const bool chunked = call.exchange().framing() == http::Exchange::Framing::chunked;
    LogReader reader{.framing = chunked ? LogFraming::chunked : LogFraming::plain,
                     .file = api.site().state.log_of(call.build().id),
                     .offset = wanted.offset};
    if (live) reader.log = {live, &live->log()};
    if (wanted.events)
        reader.format = event_log_format([&store = api.site().store, build = call.build()] {
            return base::json::render(shape_build(store.builds().find(build.id).value_or(build)));
        });
    else
        reader.format = text_log_format();
    reader.connection = call.exchange().take();
    api.logs().add(std::move(reader));
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
