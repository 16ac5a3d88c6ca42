// The filter lists what is refused. A list of what is allowed breaks the build tool of the day
// after tomorrow, and the sandbox does not stand on this wall alone: there are no capabilities in
// it. What is refused is what has opened kernels to users without capabilities, and what makes new
// namespaces (in which there would be capabilities again).
#include "bundle.h"

#include <cerrno>
#include <linux/sched.h>
#include <nlohmann/json.hpp>
#include <string_view>
#include <vector>

#ifndef CLONE_NEWTIME
#define CLONE_NEWTIME 0x00000080
#endif

namespace engine {
namespace {

using nlohmann::json;

const std::vector<const char*> forbidden = {
    // Mounts and roots.
    "mount",
    "umount",
    "umount2",
    "pivot_root",
    "chroot",
    "fsopen",
    "fsconfig",
    "fsmount",
    "fspick",
    "move_mount",
    "open_tree",
    "open_tree_attr",
    "mount_setattr",
    "setns",
    // Other processes' memory and descriptors.
    "ptrace",
    "process_vm_readv",
    "process_vm_writev",
    "process_madvise",
    "kcmp",
    "pidfd_getfd",
    // Kernel programs, keys, tracing: attack surface that no build needs.
    "bpf",
    "add_key",
    "request_key",
    "keyctl",
    "perf_event_open",
    "fanotify_init",
    "userfaultfd",
    "lookup_dcookie",
    "modify_ldt",
    "vm86",
    "vm86old",
    // The machine.
    "init_module",
    "finit_module",
    "delete_module",
    "create_module",
    "query_module",
    "get_kernel_syms",
    "kexec_load",
    "kexec_file_load",
    "reboot",
    "swapon",
    "swapoff",
    "acct",
    "syslog",
    "quotactl",
    "quotactl_fd",
    "iopl",
    "ioperm",
    "settimeofday",
    "clock_settime",
    "clock_settime64",
    "clock_adjtime",
    "clock_adjtime64",
    "adjtimex",
    "stime",
    "sethostname",
    "setdomainname",
    "vhangup",
    "nfsservctl",
    "uselib",
    "ustat",
    "sysfs",
    "_sysctl",
    // Files by handle come past every directory's permissions.
    "open_by_handle_at",
    "name_to_handle_at",
    // Memory of other nodes and processes.
    "move_pages",
    "migrate_pages",
    "mbind",
    "set_mempolicy",
    "set_mempolicy_home_node",
};

// Programs ask for these, and do without when the kernel is too old to know them.
const std::vector<const char*> unknown = {"clone3", "io_uring_setup", "io_uring_enter",
                                          "io_uring_register"};

const std::vector<std::uint64_t> new_namespaces = {CLONE_NEWNS,    CLONE_NEWUTS, CLONE_NEWIPC,
                                                   CLONE_NEWUSER,  CLONE_NEWPID, CLONE_NEWNET,
                                                   CLONE_NEWCGROUP};

// Families that are not for the internet, local sockets or (getaddrinfo's) netlink.
const std::vector<std::uint32_t> other_families = {
    3 /* AX25 */,    4 /* IPX */,         5 /* APPLETALK */, 6 /* NETROM */,     9 /* X25 */,
    11 /* ROSE */,   12 /* DECnet */,     15 /* KEY */,      17 /* PACKET */,    19 /* ECONET */,
    20 /* ATMSVC */, 21 /* RDS */,        23 /* IRDA */,     26 /* LLC */,       27 /* IB */,
    28 /* MPLS */,   29 /* CAN */,        30 /* TIPC */,     31 /* BLUETOOTH */, 33 /* RXRPC */,
    35 /* PHONET */, 36 /* IEEE802154 */, 37 /* CAIF */,     38 /* ALG */,       39 /* NFC */,
    40 /* VSOCK */,  41 /* KCM */,        42 /* QIPCRTR */,  43 /* SMC */,       44 /* XDP */,
    45 /* MCTP */,
};

json refuse(json names, int code) {
    return {{"names", std::move(names)}, {"action", "SCMP_ACT_ERRNO"}, {"errnoRet", code}};
}

json refuse_when(const char* name, int code, json condition) {
    auto rule = refuse({name}, code);
    rule["args"] = json::array({std::move(condition)});
    return rule;
}

json has_flag(unsigned argument, std::uint64_t flag) {
    return {{"index", argument}, {"value", flag}, {"valueTwo", flag}, {"op", "SCMP_CMP_MASKED_EQ"}};
}

// These arguments are 32 bits wide in the kernel, while the filter is shown the whole register: a
// comparison of all 64 would be passed by a bit above.
json equals(unsigned argument, std::uint32_t value) {
    return {{"index", argument},
            {"value", 0xffffffffu},
            {"valueTwo", value},
            {"op", "SCMP_CMP_MASKED_EQ"}};
}

} // namespace

json seccomp_filter() {
    auto rules = json::array({refuse(forbidden, EPERM), refuse(unknown, ENOSYS)});
    for (const auto flag : new_namespaces) {
        rules.push_back(refuse_when("clone", EPERM, has_flag(0, flag)));
        rules.push_back(refuse_when("unshare", EPERM, has_flag(0, flag)));
    }
    // In clone these bits belong to the signal's number.
    rules.push_back(refuse_when("unshare", EPERM, has_flag(0, CLONE_NEWTIME)));
    for (const auto family : other_families)
        rules.push_back(refuse_when("socket", EAFNOSUPPORT, equals(0, family)));
    // Typing into the terminal of somebody else.
    for (const std::uint32_t request : {0x5412u /* TIOCSTI */, 0x541cu /* TIOCLINUX */})
        rules.push_back(refuse_when("ioctl", EPERM, equals(1, request)));
    // No "architectures": the native one alone; 32-bit system calls, which would come past this
    // list, end the program.
    return {{"defaultAction", "SCMP_ACT_ALLOW"}, {"syscalls", rules}};
}

} // namespace engine
