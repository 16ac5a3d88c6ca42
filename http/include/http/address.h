// Which addresses a stranger's URL may lead to (server-side request forgery). Any thread.
#pragma once

#include <string>
#include <vector>

namespace http {

// Whether a numeric address ("93.184.216.34", "2606:2800::1") belongs to the public Internet:
// neither loopback, private, link-local, shared (CGNAT), multicast, documentation nor reserved,
// nor one of these inside IPv6 (mapped, NAT64, 6to4), nor one of this machine's own. What is not a
// numeric address is not public.
bool is_public_address(const std::string& numeric);

// The addresses that the machine's resolver has for a host, as numbers; also of a number written
// in an odd way (0177.0.0.1). Blocks as long as the resolver does. Throws Error{not_found} for a
// name that does not exist, Error{unavailable} when nobody answers.
std::vector<std::string> addresses_of(const std::string& host);

} // namespace http
