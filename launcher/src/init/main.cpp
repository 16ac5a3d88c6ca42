// slipway-init, process 1 of a build sandbox: runs the commands that the engine asks for on
// descriptor 0 and answers on descriptor 1 (launcher/init_protocol.h).

#include "sandbox.h"

#include <csignal>
#include <cstdio>
#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <unistd.h>

namespace {

// Only 0, 1 and 2 are init's own; whatever else came along must not reach a command.
void close_inherited() {
    if (::close_range(3, ~0U, 0) == 0) return;
    for (int fd = 3; fd < 4096; ++fd) ::close(fd);
}

int open_null() {
    int fd = ::open("/dev/null", O_RDWR | O_CLOEXEC);
    // With a standard descriptor closed at the start, /dev/null takes its place.
    while (fd >= 0 && fd <= STDERR_FILENO) fd = ::open("/dev/null", O_RDWR | O_CLOEXEC);
    return fd;
}

} // namespace

int main() {
    close_inherited();
    // A command runs as the same user: without this it could trace init or open its descriptors.
    ::prctl(PR_SET_DUMPABLE, 0);
    ::prctl(PR_SET_CHILD_SUBREAPER, 1);
    ::signal(SIGPIPE, SIG_IGN);
    ::signal(SIGCHLD, SIG_DFL);
    sigset_t children;
    ::sigemptyset(&children);
    ::sigaddset(&children, SIGCHLD);
    ::sigprocmask(SIG_BLOCK, &children, nullptr);

    const int null_fd = open_null();
    const int signal_fd = ::signalfd(-1, &children, SFD_CLOEXEC | SFD_NONBLOCK);
    if (null_fd < 0 || signal_fd < 0) {
        ::perror("slipway-init: cannot open /dev/null or a signalfd");
        return 1;
    }
    return init::Sandbox{STDIN_FILENO, STDOUT_FILENO, signal_fd, null_fd}.run();
}
