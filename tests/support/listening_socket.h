// A TCP socket that listens at a numeric IPv4 address, on a port that was free.
#pragma once

#include "base/error.h"
#include "base/fd.h"

#include <arpa/inet.h>
#include <cstdint>
#include <netinet/in.h>
#include <string>
#include <sys/socket.h>
#include <utility>

inline std::pair<base::UniqueFd, std::uint16_t> listen_at(const std::string& address) {
    base::UniqueFd listener(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_in name{};
    name.sin_family = AF_INET;
    ::inet_pton(AF_INET, address.c_str(), &name.sin_addr);
    socklen_t size = sizeof name;
    if (!listener || ::bind(listener.get(), reinterpret_cast<sockaddr*>(&name), size) != 0 ||
        ::listen(listener.get(), 64) != 0 ||
        ::getsockname(listener.get(), reinterpret_cast<sockaddr*>(&name), &size) != 0)
        base::throw_errno("could not listen");
    return {std::move(listener), ntohs(name.sin_port)};
}
