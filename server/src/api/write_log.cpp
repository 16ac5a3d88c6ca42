// A log for one who waits for the end in the same request: written by the request's own thread,
// because something follows it. Whoever only reads is the hub's.
#include "api.h"

#include "base/error.h"

#include <poll.h>

namespace server::api {
namespace {

using base::Error;
using base::ErrorKind;

void write_growing(Call& call, LiveBuild& build) {
    std::uint64_t offset = 0;
    const auto follower = build.log().follow();
    for (;;) {
        follower->clear();
        const auto piece = build.log().read(offset);
        if (!piece.text.empty()) call.exchange().write(piece.text);
        offset = piece.next;
        if (piece.over) return;
        if (!piece.text.empty()) continue;
        pollfd fds[] = {{follower->fd(), POLLIN, 0},
                        {call.exchange().fd(), POLLRDHUP, 0},
                        {call.stop().fd(), POLLIN, 0}};
        ::poll(fds, 3, -1);
        call.stop().throw_if_over("following the log");
        if (call.exchange().peer_left()) throw Error(ErrorKind::unavailable, "the reader left");
    }
}

void write_ended(Call& call, const std::filesystem::path& file) {
    for (std::uint64_t offset = 0;;) {
        const auto piece = read_log_file(file, offset);
        if (!piece.text.empty()) call.exchange().write(piece.text);
        offset = piece.next;
        if (piece.over) return;
    }
}

} // namespace

void Api::write_log(Call& call, const std::string& build) {
    if (const auto live = site_.queue.find(build)) return write_growing(call, *live);
    write_ended(call, site_.state.log_of(build));
}

} // namespace server::api
