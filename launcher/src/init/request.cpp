#include "request.h"

#include "launcher/init_protocol.h"

#include <charconv>

namespace init {
namespace {

std::optional<std::string_view> take_string(std::string_view& rest) {
    const size_t end = rest.find('\0');
    if (end == std::string_view::npos) return std::nullopt;
    const std::string_view text = rest.substr(0, end);
    rest.remove_prefix(end + 1);
    return text;
}

// A count, then as many strings. The list grows only with what is really there, so that a huge
// count costs nothing.
bool take_list(std::string_view& rest, std::vector<std::string>& list) {
    const auto digits = take_string(rest);
    if (!digits) return false;
    size_t count = 0;
    const char* end = digits->data() + digits->size();
    const auto [stop, error] = std::from_chars(digits->data(), end, count);
    if (error != std::errc{} || stop != end) return false;
    for (size_t i = 0; i < count; ++i) {
        const auto text = take_string(rest);
        if (!text) return false;
        list.emplace_back(*text);
    }
    return true;
}

} // namespace

std::optional<Request> parse_request(std::string_view payload) {
    if (payload.size() < 5) return std::nullopt;
    Request request{.id = read_u32(payload.data()),
                    .kill_others = false,
                    .directory = {},
                    .environment = {},
                    .arguments = {}};
    const auto flags = static_cast<std::uint8_t>(payload[4]);
    if ((flags & ~launcher::flag_kill_others) != 0) return std::nullopt;
    request.kill_others = (flags & launcher::flag_kill_others) != 0;

    std::string_view rest = payload.substr(5);
    const auto directory = take_string(rest);
    if (!directory || !take_list(rest, request.environment) || !take_list(rest, request.arguments))
        return std::nullopt;
    if (!rest.empty() || request.arguments.empty()) return std::nullopt;
    request.directory = *directory;
    return request;
}

std::uint32_t read_u32(const char* bytes) {
    const auto at = [&](int i) {
        return static_cast<std::uint32_t>(static_cast<unsigned char>(bytes[i])) << (8 * i);
    };
    return at(0) | at(1) | at(2) | at(3);
}

void append_u32(std::string& bytes, std::uint32_t number) {
    for (int shift = 0; shift < 32; shift += 8) bytes += static_cast<char>(number >> shift);
}

} // namespace init
