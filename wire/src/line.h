// Lines over a non-blocking stream socket, with a deadline. Internal to wire.
#pragma once

#include "base/stop.h"

#include <cstddef>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <sys/socket.h>
#include <sys/un.h>

namespace wire {

// Cuts what arrives into lines of at most `longest` bytes.
class LineReader {
  public:
    LineReader(int fd, std::size_t longest) : fd_(fd), longest_(longest) {}
    // The next line without its newline; empty at the end of the stream (an unfinished line is
    // dropped: it may be half of an answer). Throws Error{limit_exceeded} and on a stop.
    std::optional<std::string> next(const base::Stop& stop);

  private:
    bool fill(const base::Stop& stop);
    int fd_;
    std::size_t longest_;
    std::string pending_;
    std::size_t searched_ = 0; // bytes of pending_ known to hold no newline
};

// All of `bytes`, never a SIGPIPE. Throws Error{unavailable} when the peer left, and on a stop.
void send_all(int fd, std::string_view bytes, const base::Stop& stop);

// An address for a socket in the file system, however long its path: sun_path holds 107 bytes, so
// the directory is opened and named through /proc/self/fd.
class SocketAddress {
  public:
    explicit SocketAddress(const std::filesystem::path& path);
    ~SocketAddress();
    SocketAddress(const SocketAddress&) = delete;
    SocketAddress& operator=(const SocketAddress&) = delete;
    const sockaddr* get() const noexcept { return reinterpret_cast<const sockaddr*>(&address_); }
    static constexpr socklen_t size() noexcept { return sizeof(sockaddr_un); }

  private:
    sockaddr_un address_{};
    int directory_ = -1;
};

int new_socket();

} // namespace wire
