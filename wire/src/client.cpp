#include "wire/client.h"

#include "base/error.h"
#include "base/fd.h"
#include "line.h"

#include <nlohmann/json.hpp>

#include <cerrno>
#include <sys/socket.h>

namespace wire {
namespace {

using base::Error;
using base::ErrorKind;

// An answer may be a long list or a piece of a build's log; this only bounds a server gone mad.
constexpr std::size_t longest_answer = std::size_t{64} << 20;

base::UniqueFd connect_to(const std::filesystem::path& path) {
    base::UniqueFd fd(new_socket());
    const SocketAddress address(path);
    int failure = 0;
    do failure = ::connect(fd.get(), address.get(), address.size()) == 0 ? 0 : errno;
    while (failure == EINTR);
    if (failure == ENOENT || failure == ECONNREFUSED)
        throw Unreachable("no server listens at " + path.string(),
                          "Start slipwayd, or name its state directory.");
    if (failure != 0) base::throw_errno(failure, "could not connect to " + path.string());
    return fd;
}

[[noreturn]] void throw_answer(const base::json::Value& error) {
    const auto kind = base::parse_error_kind(base::json::get_string(error, "kind"));
    throw Error(kind.value_or(ErrorKind::internal), base::json::get_string(error, "message"),
                base::json::find_string(error, "hint").value_or(""));
}

} // namespace

base::json::Value call(const std::filesystem::path& socket, const base::json::Value& request,
                       const EventSink& on_event, const base::Stop& stop) {
    const auto connection = connect_to(socket);
    send_all(connection.get(), base::json::render(request) + "\n", stop);
    LineReader lines(connection.get(), longest_answer);
    while (const auto line = lines.next(stop)) {
        const auto answer = base::json::parse(*line, "the server's answer");
        if (!answer.is_object()) break;
        if (const auto result = answer.find("result"); result != answer.end()) return *result;
        if (const auto error = answer.find("error"); error != answer.end()) throw_answer(*error);
        if (const auto event = answer.find("event"); event != answer.end() && on_event)
            on_event(*event);
    }
    throw Unreachable("the server closed the connection without an answer");
}

} // namespace wire
