// Headers in which a registry says where something goes on. Values only.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace registry {

// Digits alone, that fit.
std::optional<std::uint64_t> parse_number(std::string_view text);

// Link (RFC 8288): the address whose relation is "next", among others or alone, quoted or not.
std::optional<std::string> next_link(std::string_view link);

// Range of an upload (distribution-spec 1.1, "0-99"; some say "bytes=0-99"): a hundred bytes.
// "0-0" is what many say of none. Empty: it does not begin at the beginning, or is no range.
std::optional<std::uint64_t> received_bytes(std::string_view range);

} // namespace registry
