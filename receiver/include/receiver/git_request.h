// What an SSH client asks to be executed, as far as it is allowed at all. Pure; any thread. Nothing
// here ever reaches a shell: whatever is not exactly one of four commands with one word is refused.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace receiver {

enum class Service { receive_pack, upload_pack };

std::string_view to_string(Service service) noexcept; // "git-receive-pack"

struct GitRequest {
    Service service = Service::receive_pack;
    std::string path; // as the client wrote it, without its quotes; see parse_app_path
};

// "git-receive-pack 'shop.git'", "git upload-pack /shop" and their kin; empty for anything else.
std::optional<GitRequest> parse_git_request(std::string_view command);

// "version=0" to "version=2": the one environment variable that a client may set.
bool is_git_protocol(std::string_view value) noexcept;

} // namespace receiver
