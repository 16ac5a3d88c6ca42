#include "netlink.h"

#include "base/error.h"

#include <arpa/inet.h>
#include <cerrno>
#include <cstring>
#include <linux/fib_rules.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

namespace engine {
namespace {

// A request with its attributes behind it, as netlink(7) lays them out.
template <class Body>
struct Request {
    alignas(NLMSG_ALIGNTO) nlmsghdr header{};
    Body body{};
    char attributes[64]{};

    explicit Request(std::uint16_t type) {
        header.nlmsg_len = NLMSG_LENGTH(sizeof(Body));
        header.nlmsg_type = type;
        header.nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK | NLM_F_CREATE | NLM_F_EXCL;
    }

    template <class Value>
    void add(std::uint16_t type, const Value& value) {
        rtattr attribute{static_cast<unsigned short>(RTA_LENGTH(sizeof value)), type};
        char* at = reinterpret_cast<char*>(&header) + NLMSG_ALIGN(header.nlmsg_len);
        std::memcpy(at, &attribute, sizeof attribute);
        std::memcpy(at + RTA_LENGTH(0), &value, sizeof value);
        header.nlmsg_len = NLMSG_ALIGN(header.nlmsg_len) + RTA_SPACE(sizeof value);
    }
};

} // namespace

RouteSocket::RouteSocket() : socket_(::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE)) {
    if (!socket_) base::throw_errno("could not open a netlink socket");
}

void RouteSocket::exchange(void* message) {
    const auto* header = static_cast<const nlmsghdr*>(message);
    if (::send(socket_.get(), message, header->nlmsg_len, 0) < 0) base::throw_errno("netlink");
    alignas(NLMSG_ALIGNTO) char answer[1024];
    const auto size = ::recv(socket_.get(), answer, sizeof answer, 0);
    if (size < static_cast<ssize_t>(NLMSG_LENGTH(sizeof(nlmsgerr)))) base::throw_errno("netlink");
    nlmsgerr result{};
    std::memcpy(&result, answer + NLMSG_HDRLEN, sizeof result);
    if (result.error != 0 && result.error != -EEXIST)
        base::throw_errno(-result.error, "could not set up the sandbox's network");
}

void RouteSocket::bring_loopback_up() {
    ifreq request{};
    std::strcpy(request.ifr_name, "lo");
    request.ifr_flags = IFF_UP;
    const base::UniqueFd any(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
    if (!any || ::ioctl(any.get(), SIOCSIFFLAGS, &request) != 0)
        base::throw_errno("could not bring the sandbox's loopback up");
}

void RouteSocket::refuse_network(std::uint32_t address, unsigned prefix) {
    Request<rtmsg> request(RTM_NEWROUTE);
    request.body.rtm_family = AF_INET;
    request.body.rtm_dst_len = static_cast<unsigned char>(prefix);
    request.body.rtm_table = RT_TABLE_MAIN;
    request.body.rtm_protocol = RTPROT_STATIC;
    request.body.rtm_scope = RT_SCOPE_UNIVERSE;
    request.body.rtm_type = RTN_UNREACHABLE;
    request.add(RTA_DST, htonl(address));
    exchange(&request);
}

// A rule for `port` sends what it matches to the ordinary routes; one for port 0 refuses it.
void RouteSocket::add_rule(std::uint32_t address, std::uint32_t priority, std::uint16_t port) {
    Request<fib_rule_hdr> request(RTM_NEWRULE);
    request.body.family = AF_INET;
    request.body.dst_len = 32;
    request.body.action = port != 0 ? FR_ACT_TO_TBL : FR_ACT_UNREACHABLE;
    request.body.table = port != 0 ? RT_TABLE_MAIN : RT_TABLE_UNSPEC;
    request.add(FRA_DST, htonl(address));
    request.add(FRA_PRIORITY, priority);
    if (port != 0) request.add(FRA_DPORT_RANGE, fib_rule_port_range{port, port});
    exchange(&request);
}

void RouteSocket::refuse_all_ports_but(std::uint32_t address, std::uint16_t port) {
    add_rule(address, 100, port);
    add_rule(address, 101, 0);
}

} // namespace engine
