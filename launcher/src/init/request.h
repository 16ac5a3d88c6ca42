// One request of the engine, taken apart (launcher/init_protocol.h).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace init {

struct Request {
    std::uint32_t id = 0;
    bool kill_others = false;
    std::string directory;
    std::vector<std::string> environment;
    std::vector<std::string> arguments;
};

// nullopt when the payload breaks the protocol.
std::optional<Request> parse_request(std::string_view payload);

std::uint32_t read_u32(const char* bytes);
void append_u32(std::string& bytes, std::uint32_t number);

} // namespace init
