#include "wire/server.h"

#include "line.h"

#include <nlohmann/json.hpp>

#include <cerrno>
#include <chrono>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

namespace wire {
namespace {

using base::Error;
using base::ErrorKind;

// A socket file stays behind when its server is killed; only a connection tells the two apart.
bool is_served(const std::filesystem::path& path) {
    base::UniqueFd probe(new_socket());
    const SocketAddress address(path);
    return ::connect(probe.get(), address.get(), address.size()) == 0;
}

void remove_stale(const std::filesystem::path& path) {
    struct stat found {};
    if (::lstat(path.c_str(), &found) != 0) return;
    if (!S_ISSOCK(found.st_mode) || is_served(path))
        throw Error(ErrorKind::already_exists, path.string() + " is in use",
                    "Is another slipwayd running with this state directory?");
    ::unlink(path.c_str());
}

std::string line_of(const char* name, const base::json::Value& value) {
    auto line = base::json::Value::object();
    line[name] = value;
    return base::json::render(line) + "\n";
}

bool is_out_of_something(int code) {
    return code == EMFILE || code == ENFILE || code == ENOBUFS || code == ENOMEM;
}

} // namespace

base::UniqueFd listen_at(const std::filesystem::path& path, unsigned mode,
                         std::optional<gid_t> group) {
    remove_stale(path);
    base::UniqueFd fd(new_socket());
    const SocketAddress address(path);
    // Nobody gets in between bind and chmod: the file is born with the mode of the socket itself.
    ::fchmod(fd.get(), 0600);
    if (::bind(fd.get(), address.get(), address.size()) != 0)
        base::throw_errno("could not make the socket " + path.string());
    if (group && ::chown(path.c_str(), static_cast<uid_t>(-1), *group) != 0)
        base::throw_errno("could not change the group of " + path.string());
    if (::chmod(path.c_str(), mode) != 0)
        base::throw_errno("could not change the mode of " + path.string());
    if (::listen(fd.get(), 128) != 0) base::throw_errno("could not listen at " + path.string());
    return fd;
}

base::UniqueFd accept_from(int listener, const base::Stop& stop) {
    while (stop.wait_for(listener, POLLIN)) {
        base::UniqueFd fd(::accept4(listener, nullptr, nullptr, SOCK_CLOEXEC));
        if (fd) return fd;
        // Others will give some back; a loop that spins meanwhile would only slow them.
        if (is_out_of_something(errno))
            stop.wait(std::chrono::milliseconds(100));
        else if (errno == EBADF || errno == EINVAL || errno == ENOTSOCK)
            base::throw_errno("could not accept on a local socket");
    }
    return {};
}

Exchange::Exchange(base::UniqueFd connection) : connection_(std::move(connection)) {}

Peer Exchange::peer() const {
    ucred who{};
    socklen_t size = sizeof who;
    if (::getsockopt(connection_.get(), SOL_SOCKET, SO_PEERCRED, &who, &size) != 0)
        base::throw_errno("could not learn who connected");
    return {.pid = who.pid, .uid = who.uid, .gid = who.gid};
}

base::json::Value Exchange::read_request(const base::Stop& stop) {
    LineReader lines(connection_.get(), longest_request);
    const auto line = lines.next(stop);
    if (!line) throw Error(ErrorKind::unavailable, "the peer left without a request");
    auto request = base::json::parse(*line, "the request");
    if (!request.is_object())
        throw Error(ErrorKind::invalid_input, "the request is not a JSON object");
    return request;
}

void Exchange::send_event(const base::json::Value& event, const base::Stop& stop) {
    send_all(connection_.get(), line_of("event", event), stop);
}

void Exchange::send_result(const base::json::Value& result, const base::Stop& stop) {
    send_all(connection_.get(), line_of("result", result), stop);
}

void Exchange::send_error(const base::Error& error, const base::Stop& stop) {
    const base::json::Value body = {{"kind", std::string(base::to_string(error.kind()))},
                                    {"message", error.message()},
                                    {"hint", error.hint()}};
    send_all(connection_.get(), line_of("error", body), stop);
}

bool Exchange::peer_left() const {
    pollfd watched{.fd = connection_.get(), .events = POLLRDHUP, .revents = 0};
    return ::poll(&watched, 1, 0) > 0 && (watched.revents & (POLLRDHUP | POLLHUP | POLLERR)) != 0;
}

} // namespace wire
