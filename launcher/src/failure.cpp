#include "failure.h"

#include <cstring>
#include <unistd.h>

namespace launch {
namespace {

// One write, so that the line stays whole when a container's stderr is shared. Names come from
// layers, so control bytes are masked.
void print_line(std::string_view label, std::string_view message) {
    std::string line{label};
    for (const char c : message) line += static_cast<unsigned char>(c) < 0x20 ? '?' : c;
    line += '\n';
    const char* at = line.data();
    size_t left = line.size();
    while (left > 0) {
        const ssize_t written = ::write(STDERR_FILENO, at, left);
        if (written <= 0) return;
        at += written;
        left -= static_cast<size_t>(written);
    }
}

} // namespace

void fail(ExitCode code, std::string_view message) {
    print_line("ERROR: ", message);
    ::_exit(static_cast<int>(code));
}

void fail(std::string_view message) {
    fail(ExitCode::launch_failed, message);
}

void warn(std::string_view message) {
    print_line("WARNING: ", message);
}

std::string reason(int error_number) {
    return ::strerror(error_number);
}

} // namespace launch
