#include "line.h"

#include "base/error.h"
#include "wire/client.h"

#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

namespace wire {

using base::Error;
using base::ErrorKind;

std::optional<std::string> LineReader::next(const base::Stop& stop) {
    for (;;) {
        const auto end = pending_.find('\n', searched_);
        if (end != std::string::npos && end <= longest_) {
            std::string line = pending_.substr(0, end);
            pending_.erase(0, end + 1);
            searched_ = 0;
            return line;
        }
        if (end != std::string::npos || pending_.size() > longest_)
            throw Error(ErrorKind::limit_exceeded, "a line on the local socket is longer than " +
                                                       std::to_string(longest_) + " bytes");
        searched_ = pending_.size();
        if (!fill(stop)) return std::nullopt;
    }
}

bool LineReader::fill(const base::Stop& stop) {
    char buffer[65536];
    for (;;) {
        const auto n = ::recv(fd_, buffer, sizeof buffer, MSG_DONTWAIT);
        if (n > 0) {
            pending_.append(buffer, static_cast<std::size_t>(n));
            return true;
        }
        if (n == 0 || errno == ECONNRESET) return false;
        if (errno == EINTR) continue;
        if (errno != EAGAIN) base::throw_errno("could not read from the local socket");
        if (!stop.wait_for(fd_, POLLIN)) stop.throw_if_over("reading from the local socket");
    }
}

void send_all(int fd, std::string_view bytes, const base::Stop& stop) {
    while (!bytes.empty()) {
        const auto n = ::send(fd, bytes.data(), bytes.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
        if (n >= 0) {
            bytes.remove_prefix(static_cast<std::size_t>(n));
        } else if (errno == EAGAIN) {
            if (!stop.wait_for(fd, POLLOUT)) stop.throw_if_over("writing to the local socket");
        } else if (errno == EPIPE || errno == ECONNRESET) {
            throw Unreachable("the other end of the local socket has gone");
        } else if (errno != EINTR) {
            base::throw_errno("could not write to the local socket");
        }
    }
}

SocketAddress::SocketAddress(const std::filesystem::path& path) {
    address_.sun_family = AF_UNIX;
    std::string name = path.string();
    if (name.size() >= sizeof address_.sun_path) {
        const auto parent = path.parent_path();
        directory_ = ::open(parent.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC);
        if (directory_ < 0) base::throw_errno("could not open " + parent.string());
        name = "/proc/self/fd/" + std::to_string(directory_) + "/" + path.filename().string();
    }
    if (name.size() >= sizeof address_.sun_path) {
        if (directory_ >= 0) ::close(directory_);
        throw Error(ErrorKind::invalid_input, "the socket's name is too long: " + path.string());
    }
    std::memcpy(address_.sun_path, name.data(), name.size());
}

SocketAddress::~SocketAddress() {
    if (directory_ >= 0) ::close(directory_);
}

int new_socket() {
    const int fd = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0) base::throw_errno("could not make a local socket");
    return fd;
}

} // namespace wire
