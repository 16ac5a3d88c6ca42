#include "connection.h"

#include "base/error.h"

#include <algorithm>
#include <arpa/inet.h>
#include <cerrno>
#include <cstring>
#include <poll.h>
#include <sys/socket.h>
#include <utility>

namespace http {
namespace {

// Whoever has one IPv6 address has all of its /64.
std::string counted_as(const std::string& address) {
    in6_addr v6{};
    if (::inet_pton(AF_INET6, address.c_str(), &v6) != 1) return address;
    return std::string(reinterpret_cast<const char*>(v6.s6_addr), 8);
}

class EarlyBytes : public Connection {
  public:
    EarlyBytes(std::unique_ptr<Connection> connection, std::string bytes)
        : connection_(std::move(connection)), bytes_(std::move(bytes)) {}

    int fd() const noexcept override { return connection_->fd(); }
    short wants() const noexcept override { return connection_->wants(); }
    std::optional<std::size_t> try_write(std::string_view bytes) noexcept override {
        return connection_->try_write(bytes);
    }
    std::optional<std::size_t> try_read(char* buffer, std::size_t size) noexcept override {
        if (at_ == bytes_.size()) return connection_->try_read(buffer, size);
        const auto n = std::min(size, bytes_.size() - at_);
        std::memcpy(buffer, bytes_.data() + at_, n);
        at_ += n;
        return n;
    }

  private:
    std::unique_ptr<Connection> connection_;
    std::string bytes_;
    std::size_t at_ = 0;
};

} // namespace

struct Admission::State {
    struct Counts {
        std::size_t all = 0;
        std::map<std::string, std::size_t> of_address;
    };
    std::size_t most;
    std::size_t most_of_address;
    base::Guarded<Counts> counts;
};

Admission::Admission(const ServerLimits& limits) : state_(std::make_shared<State>()) {
    state_->most = limits.connections;
    state_->most_of_address = limits.connections_of_one_address;
}

Admission::Place Admission::admit(const std::string& address) {
    const auto key = address.empty() ? std::string() : counted_as(address);
    {
        auto counts = state_->counts.lock();
        if (counts->all >= state_->most) return nullptr;
        if (!key.empty()) {
            auto& same = counts->of_address[key];
            if (same >= state_->most_of_address) return nullptr;
            ++same;
        }
        ++counts->all;
    }
    return Place(this, [state = state_, key](void*) {
        auto counts = state->counts.lock();
        --counts->all;
        const auto same = counts->of_address.find(key);
        if (same != counts->of_address.end() && --same->second == 0) counts->of_address.erase(same);
    });
}

std::size_t Admission::count() const noexcept {
    return state_->counts.lock()->all;
}

SocketConnection::SocketConnection(base::UniqueFd socket, Admission::Place place)
    : place_(std::move(place)), socket_(std::move(socket)) {}

std::optional<std::size_t> SocketConnection::try_write(std::string_view bytes) noexcept {
    for (;;) {
        const ssize_t n =
            ::send(socket_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
        if (n >= 0) return static_cast<std::size_t>(n);
        if (errno == EINTR) continue;
        if (errno != EAGAIN && errno != EWOULDBLOCK) return std::nullopt;
        wants_ = POLLOUT;
        return 0;
    }
}

std::optional<std::size_t> SocketConnection::try_read(char* buffer, std::size_t size) noexcept {
    for (;;) {
        const ssize_t n = ::recv(socket_.get(), buffer, size, MSG_DONTWAIT);
        if (n > 0) return static_cast<std::size_t>(n);
        if (n == 0) return std::nullopt;
        if (errno == EINTR) continue;
        if (errno != EAGAIN && errno != EWOULDBLOCK) return std::nullopt;
        wants_ = POLLIN;
        return 0;
    }
}

void SocketConnection::shut_down() noexcept {
    ::shutdown(socket_.get(), SHUT_WR);
}

std::unique_ptr<Connection> with_early_bytes(std::unique_ptr<Connection> connection,
                                             std::string bytes) {
    if (bytes.empty()) return connection;
    return std::make_unique<EarlyBytes>(std::move(connection), std::move(bytes));
}

std::string peer_address(int socket) {
    sockaddr_storage storage{};
    socklen_t size = sizeof storage;
    if (::getpeername(socket, reinterpret_cast<sockaddr*>(&storage), &size) != 0) return {};
    char text[INET6_ADDRSTRLEN] = "";
    if (storage.ss_family == AF_INET) {
        const auto& v4 = reinterpret_cast<const sockaddr_in&>(storage);
        ::inet_ntop(AF_INET, &v4.sin_addr, text, sizeof text);
    } else if (storage.ss_family == AF_INET6) {
        const auto& v6 = reinterpret_cast<const sockaddr_in6&>(storage).sin6_addr;
        if (IN6_IS_ADDR_V4MAPPED(&v6))
            ::inet_ntop(AF_INET, v6.s6_addr + 12, text, sizeof text);
        else
            ::inet_ntop(AF_INET6, &v6, text, sizeof text);
    }
    return text;
}

} // namespace http
