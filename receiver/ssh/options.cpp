#include "ssh/options.h"

#include "base/error.h"

#include <charconv>
#include <string_view>

namespace receiver {
namespace {

using base::Error;
using base::ErrorKind;

std::uint64_t parse_number(std::string_view name, std::string_view text, std::uint64_t most) {
    std::uint64_t number = 0;
    const auto [end, failure] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (failure != std::errc{} || end != text.data() + text.size() || number > most)
        throw Error(ErrorKind::invalid_input, std::string(name) + " must be a number up to " +
                                                  std::to_string(most) + ", not \"" +
                                                  std::string(text) + "\"");
    return number;
}

int parse_fd(std::string_view name, std::string_view text) {
    return static_cast<int>(parse_number(name, text, 65535));
}

std::chrono::seconds parse_seconds(std::string_view name, std::string_view text) {
    return std::chrono::seconds(parse_number(name, text, 86400));
}

// Beside our own program, where the build and the installation both put it.
std::filesystem::path default_hooks() {
    return std::filesystem::read_symlink("/proc/self/exe").parent_path() / "hooks";
}

} // namespace

Options parse_options(int argc, char** argv) {
    Options options;
    for (int i = 1; i < argc; i += 2) {
        const std::string_view name = argv[i];
        if (i + 1 >= argc)
            throw Error(ErrorKind::invalid_input, std::string(name) + " needs a value");
        const std::string_view value = argv[i + 1];
        if (name == "--socket-fd")
            options.socket_fd = parse_fd(name, value);
        else if (name == "--host-key-fd")
            options.host_key_fds.push_back(parse_fd(name, value));
        else if (name == "--door")
            options.door = value;
        else if (name == "--hooks")
            options.hooks = value;
        else if (name == "--address")
            options.address = value;
        else if (name == "--login-timeout")
            options.login_timeout = parse_seconds(name, value);
        else if (name == "--idle-timeout")
            options.idle_timeout = parse_seconds(name, value);
        else if (name == "--max-pack-bytes")
            options.max_pack_bytes = parse_number(name, value, std::uint64_t{1} << 50);
        else
            throw Error(ErrorKind::invalid_input, "unknown option " + std::string(name));
    }
    if (options.socket_fd < 0 || options.host_key_fds.empty() || options.door.empty())
        throw Error(ErrorKind::invalid_input,
                    "--socket-fd, --host-key-fd and --door must be given");
    if (options.hooks.empty()) options.hooks = default_hooks();
    return options;
}

} // namespace receiver
