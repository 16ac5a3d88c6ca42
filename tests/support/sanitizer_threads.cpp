// What ThreadSanitizer has to know of the programs, and of the tests.
#include <sanitizer/common_interface_defs.h>
#include <sched.h>
#include <sys/syscall.h>
#include <unistd.h>

extern "C" {

// It keeps a second thread in every process, also in a forked one; the kernel gives a user
// namespace to none that has two. It ends that thread when it is told of a sandbox.
int unshare(int flags) noexcept {
    if (::syscall(SYS_unshare, flags) == 0) return 0;
    __sanitizer_sandbox_arguments none{};
    __sanitizer_sandbox_on_notify(&none);
    return static_cast<int>(::syscall(SYS_unshare, flags));
}

// It does not see the locks in the C library that guard what locales share.
const char* __tsan_default_suppressions() {
    return "race:__gconv_\n"
           "race:_nl_\n"
           "race:__freelocale\n";
}
}
