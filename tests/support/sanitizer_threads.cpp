// ThreadSanitizer keeps a second thread in every process, also in a forked one; the kernel gives a
// user namespace to none that has two. It ends that thread when it is told of a sandbox.
#include <sanitizer/common_interface_defs.h>
#include <sched.h>
#include <sys/syscall.h>
#include <unistd.h>

extern "C" int unshare(int flags) noexcept {
    if (::syscall(SYS_unshare, flags) == 0) return 0;
    __sanitizer_sandbox_arguments none{};
    __sanitizer_sandbox_on_notify(&none);
    return static_cast<int>(::syscall(SYS_unshare, flags));
}
