#include "receiver/pkt_line.h"

#include <charconv>
#include <cstdio>
#include <optional>
#include <utility>

namespace receiver {
namespace {

constexpr std::size_t longest_text = 65516;
constexpr std::string_view empty_marker =
    "0000000000000000000000000000000000000000 capabilities^{}";
// No object has this id, so that a client has nothing to leave out for its sake.
constexpr std::string_view nothing_had = "1111111111111111111111111111111111111111 .have";

std::string packet(std::string_view text) {
    text = text.substr(0, longest_text);
    char length[5];
    std::snprintf(length, sizeof length, "%04zx", text.size() + 4);
    return std::string(length, 4).append(text);
}

// The whole packet's length from its first four bytes; 0 for a flush and its like.
std::optional<std::size_t> packet_length(std::string_view head) {
    std::size_t length = 0;
    const auto [end, failure] = std::from_chars(head.data(), head.data() + 4, length, 16);
    if (failure != std::errc{} || end != head.data() + 4) return std::nullopt;
    return length;
}

} // namespace

std::string error_packet(std::string_view text) {
    return packet("ERR " + std::string(text));
}

std::string Advertisement::pass(std::string_view bytes) {
    if (over_) return std::string(bytes);
    held_ += bytes;
    std::string out;
    while (!over_ && held_.size() >= 4) {
        const auto length = packet_length(held_);
        if (!length || *length < 4) {
            over_ = true;
        } else if (held_.size() < *length) {
            return out;
        } else {
            const std::string_view text(held_.data() + 4, *length - 4);
            // "version 1" comes first when the client asked for it.
            over_ = !text.starts_with("version ");
            if (text.starts_with(empty_marker))
                out += packet(std::string(nothing_had).append(text.substr(empty_marker.size())));
            else
                out.append(held_, 0, *length);
            held_.erase(0, *length);
        }
    }
    if (over_) out += std::exchange(held_, {});
    return out;
}

} // namespace receiver
