#include "tcp.h"

#include "base/error.h"

#include <cerrno>
#include <fcntl.h>
#include <memory>
#include <netdb.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

namespace server {
namespace {

using base::Error;
using base::ErrorKind;

using Found = std::unique_ptr<addrinfo, decltype(&::freeaddrinfo)>;

Found resolve(const Address& address, int extra_flags) {
    addrinfo hints{};
    hints.ai_socktype = SOCK_STREAM;
    hints.ai_flags = AI_NUMERICSERV | extra_flags;
    addrinfo* found = nullptr;
    const int failure =
        ::getaddrinfo(address.host.c_str(), std::to_string(address.port).c_str(), &hints, &found);
    if (failure != 0)
        throw Error(ErrorKind::invalid_input,
                    "\"" + address.host + "\" is no address: " + ::gai_strerror(failure));
    return {found, ::freeaddrinfo};
}

std::pair<std::string, std::uint16_t> name_of(const sockaddr_storage& peer, socklen_t size) {
    char host[NI_MAXHOST] = {}, port[NI_MAXSERV] = {};
    ::getnameinfo(reinterpret_cast<const sockaddr*>(&peer), size, host, sizeof host, port,
                  sizeof port, NI_NUMERICHOST | NI_NUMERICSERV);
    return {host, static_cast<std::uint16_t>(std::atoi(port))};
}

} // namespace

Listener listen_on(const Address& address) {
    const auto found = resolve(address, AI_PASSIVE);
    base::UniqueFd fd(::socket(found->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    if (!fd) base::throw_errno("could not make a socket");
    const int on = 1;
    ::setsockopt(fd.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (::bind(fd.get(), found->ai_addr, found->ai_addrlen) != 0 || ::listen(fd.get(), 256) != 0) {
        if (errno == EADDRINUSE)
            throw Error(ErrorKind::already_exists, "another program listens on " + address.render(),
                        "Stop it, or choose another port; port 0 takes a free one.");
        base::throw_errno("could not listen on " + address.render());
    }
    sockaddr_storage bound{};
    socklen_t size = sizeof bound;
    ::getsockname(fd.get(), reinterpret_cast<sockaddr*>(&bound), &size);
    return {std::move(fd), {address.host, name_of(bound, size).second}};
}

base::UniqueFd connect_to(const Address& address, const base::Stop& stop) {
    const auto found = resolve(address, 0);
    base::UniqueFd fd(::socket(found->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    if (!fd) base::throw_errno("could not make a socket");
    if (::connect(fd.get(), found->ai_addr, found->ai_addrlen) != 0) {
        if (errno != EINPROGRESS) base::throw_errno("could not connect to " + address.render());
        if (!stop.wait_for(fd.get(), POLLOUT)) stop.throw_if_over("connecting");
        int failure = 0;
        socklen_t size = sizeof failure;
        ::getsockopt(fd.get(), SOL_SOCKET, SO_ERROR, &failure, &size);
        if (failure != 0) base::throw_errno(failure, "could not connect to " + address.render());
    }
    return fd;
}

Accepted accept_on(int listener) {
    sockaddr_storage peer{};
    socklen_t size = sizeof peer;
    base::UniqueFd fd(::accept4(listener, reinterpret_cast<sockaddr*>(&peer), &size, SOCK_CLOEXEC));
    if (fd) return {std::move(fd), name_of(peer, size).first, false};
    const bool exhausted =
        errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM;
    return {{}, {}, exhausted};
}

} // namespace server
