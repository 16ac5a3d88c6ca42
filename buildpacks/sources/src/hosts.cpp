#include "hosts.h"

#include "http/outgoing.h"

namespace sources {
namespace {

http::OutgoingPolicy policy_of(const Access& access) {
    return {.any_host = access.hosts == Access::Hosts::any,
            .allowed_private_hosts = access.allowed_private_hosts,
            .setting = "buildpacks.allowed_private_hosts"};
}

} // namespace

std::vector<std::string> checked_addresses(const Access& access, const http::Url& url) {
    return http::checked_addresses(policy_of(access), url);
}

std::function<bool(const std::string&)> address_check(const Access& access, const std::string& host,
                                                      int port) {
    return http::address_check(policy_of(access), host, port);
}

} // namespace sources
