// WWW-Authenticate (RFC 9110, 11.6.1), read tolerantly: several challenges in one header or in
// several, quoted values with commas, odd white space, unknown schemes. Values only.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace registry {

struct Challenge {
    std::string scheme;                            // lower case: "bearer", "basic"
    std::map<std::string, std::string> parameters; // names in lower case
};

std::vector<Challenge> parse_challenges(std::string_view header);

} // namespace registry
