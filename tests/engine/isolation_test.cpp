#include "world.h"

#include <arpa/inet.h>
#include <cerrno>
#include <csignal>
#include <ifaddrs.h>
#include <linux/keyctl.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <thread>

using namespace engine_test;
using Catch::Matchers::Contains;
using Catch::Matchers::StartsWith;

TEST_CASE("a build is an ordinary user without capabilities, under a system call filter") {
    const auto runtime = GENERATE(as<std::string>{}, "crun", "runc");
    if (!can_run(runtime)) return;
    const auto text = run_script("id; grep -E '^(Cap|NoNew|Seccomp)' /proc/self/status", {},
                                 [&](engine::SandboxSpec& spec) {
                                     spec.runtime = runtime;
                                     spec.uid = 1001;
                                     spec.gid = 1002;
                                 });
    CHECK_THAT(text, StartsWith("uid=1001 gid=1002\n"));
    for (const char* set : {"CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"})
        CHECK_THAT(text, Contains(std::string(set) + ":\t0000000000000000\n"));
    CHECK_THAT(text, Contains("NoNewPrivs:\t1\n") && Contains("Seccomp:\t2\n"));
    CHECK_THAT(text, Contains("[exit code 0]"));
}

TEST_CASE("a build writes to /tmp and to what it was given, and to nothing else") {
    if (!can_run()) return;
    Place place;
    for (const char* name : {"open", "closed"}) {
        fs::create_directory(place.path / name);
        REQUIRE(::lchown((place.path / name).c_str(), first_id + 1000, first_id + 1000) == 0);
    }
    const auto text = in_world(world_spec(place), [&](const engine::World& world) {
        auto spec = place.spec(world);
        spec.mounts = {{place.path / "open", "/work/open", engine::Mount::Access::read_write},
                       {place.path / "closed", "/work/closed"}};
        const auto sandbox = engine::Sandbox::start(spec, {});
        return run(*sandbox, "for d in / /bin /etc /dev /proc /slipway /work /work/closed /tmp "
                             "/work/open; do touch $d/f 2>/dev/null && echo $d; done; "
                             "touch /etc/resolv.conf /slipway/init 2>&1");
    });
    CHECK_THAT(text, StartsWith("/tmp\n/work/open\ntouch: "));
    CHECK_THAT(text, Contains("/etc/resolv.conf: Read-only file system") ||
                         Contains("/etc/resolv.conf: Permission denied"));
    CHECK(fs::exists(place.path / "open" / "f"));
}

TEST_CASE("/tmp holds no more than its limit") {
    if (!can_run()) return;
    engine::Limits limits;
    limits.tmp_bytes = 1 << 20;
    CHECK_THAT(run_script("dd if=/dev/zero of=/tmp/f bs=1024 count=2048 2>&1; "
                          "echo size $(wc -c < /tmp/f)",
                          limits),
               Contains("No space left on device") && Contains("size 1048576\n"));
}

// Hidden: what the next test runs within the sandbox, with this very program.
TEST_CASE("the system calls that lead out of a sandbox are refused", "[.][inside]") {
    const auto answer = [](long result) { return result == -1 ? errno : 0; };
    char path[] = "/tmp";
    CHECK(answer(::syscall(SYS_ptrace, PTRACE_TRACEME, 0, 0, 0)) == EPERM);
    CHECK(answer(::mount("tmpfs", path, "tmpfs", 0, nullptr)) == EPERM);
    CHECK(answer(::umount2("/proc", MNT_DETACH)) == EPERM);
    CHECK(answer(::syscall(SYS_fsopen, "tmpfs", 0)) == EPERM);
    CHECK(answer(::syscall(SYS_open_tree, AT_FDCWD, path, 1)) == EPERM);
    CHECK(answer(::chroot(path)) == EPERM);
    CHECK(answer(::syscall(SYS_keyctl, KEYCTL_GET_KEYRING_ID, KEY_SPEC_USER_KEYRING, 1)) == EPERM);
    CHECK(answer(::syscall(SYS_add_key, "user", "k", "v", 1, KEY_SPEC_USER_KEYRING)) == EPERM);
    CHECK(answer(::syscall(SYS_bpf, 0, nullptr, 0)) == EPERM);
    CHECK(answer(::syscall(SYS_userfaultfd, 1)) == EPERM);
    CHECK(answer(::syscall(SYS_perf_event_open, nullptr, 0, -1, -1, 0)) == EPERM);
    CHECK(answer(::syscall(SYS_open_by_handle_at, 0, nullptr, 0)) == EPERM);
    CHECK(answer(::syscall(SYS_io_uring_setup, 1, nullptr)) == ENOSYS);
    CHECK(answer(::syscall(SYS_clone3, nullptr, 0)) == ENOSYS);
    for (const int space : {CLONE_NEWUSER, CLONE_NEWNS, CLONE_NEWNET, CLONE_NEWPID, CLONE_NEWIPC,
                            CLONE_NEWUTS, CLONE_NEWCGROUP}) {
        CHECK(answer(::unshare(space)) == EPERM);
        CHECK(answer(::syscall(SYS_clone, space | SIGCHLD, nullptr, nullptr, nullptr, 0)) == EPERM);
    }
    for (const int family : {AF_ALG, AF_VSOCK, AF_PACKET})
        CHECK(answer(::socket(family, SOCK_DGRAM, 0)) == EAFNOSUPPORT);
}

TEST_CASE("threads, local sockets and children work in a sandbox", "[.][inside]") {
    int value = 0;
    std::thread([&] { value = 7; }).join();
    CHECK(value == 7);
    for (const int family : {AF_INET, AF_UNIX, AF_NETLINK})
        CHECK(base::UniqueFd(::socket(family, SOCK_DGRAM | SOCK_CLOEXEC, 0)));
    CHECK(base::run({.argv = {"/bin/echo", "hello"}}, {}).output == "hello\n");
}

TEST_CASE("a sandbox refuses the system calls that lead out and keeps those that builds need") {
    const auto runtime = GENERATE(as<std::string>{}, "crun", "runc");
    if (!can_run(runtime)) return;
    Place place;
    const auto text = in_world(world_spec(place), [&](const engine::World& world) {
        auto spec = place.spec(world);
        spec.runtime = runtime;
        spec.mounts = {{"/usr", "/usr"}, {place.path / "test-program", "/test-program"}};
        const auto sandbox = engine::Sandbox::start(spec, {});
        // A search for leaks in the end wants ptrace, which a sandbox refuses.
        return run(*sandbox, "ASAN_OPTIONS=detect_leaks=0 /test-program '[inside]' 2>&1");
    });
    CHECK_THAT(text, Contains("All tests passed") && Contains("in 2 test cases"));
    CHECK_THAT(text, Contains("[exit code 0]"));
}

namespace {

// A listening socket needs nobody to accept for a connection to succeed.
struct Listener {
    base::UniqueFd socket{::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)};
    std::string port;

    explicit Listener(in_addr address) {
        sockaddr_in name{};
        name.sin_family = AF_INET;
        name.sin_addr = address;
        socklen_t size = sizeof name;
        auto* generic = reinterpret_cast<sockaddr*>(&name);
        REQUIRE(::bind(socket.get(), generic, size) == 0);
        REQUIRE(::listen(socket.get(), 5) == 0);
        REQUIRE(::getsockname(socket.get(), generic, &size) == 0);
        port = std::to_string(ntohs(name.sin_port));
    }
};

// An address of this machine that is not loopback; empty when there is none.
std::optional<in_addr> outside_address() {
    ifaddrs* list = nullptr;
    if (::getifaddrs(&list) != 0) return std::nullopt;
    std::optional<in_addr> found;
    for (const auto* entry = list; entry && !found; entry = entry->ifa_next)
        if (entry->ifa_addr && entry->ifa_addr->sa_family == AF_INET &&
            !(entry->ifa_flags & IFF_LOOPBACK))
            found = reinterpret_cast<const sockaddr_in*>(entry->ifa_addr)->sin_addr;
    ::freeifaddrs(list);
    return found;
}

std::string text_of(in_addr address) {
    char text[INET_ADDRSTRLEN];
    return ::inet_ntop(AF_INET, &address, text, sizeof text);
}

std::string connect_to(const std::string& host, const std::string& port) {
    return "nc -w 5 " + host + " " + port + " -e /bin/true 2>/dev/null && echo " + host +
           " reached || echo " + host + " refused; ";
}

void with_internet(engine::SandboxSpec& spec) {
    spec.network = engine::Network::internet;
}

} // namespace

TEST_CASE("a build reaches no service on the host's loopback, by no address") {
    if (!can_run()) return;
    const Listener service(in_addr{htonl(INADDR_LOOPBACK)});
    std::string script;
    for (const char* host : {"127.0.0.1", "10.0.2.2", "10.0.2.3", "10.0.2.15", "0.0.0.0"})
        script += connect_to(host, service.port);
    if (const auto own = outside_address()) script += connect_to(text_of(*own), service.port);
    const auto text = run_script(script, {}, with_internet);
    CHECK_THAT(text, Contains("10.0.2.2 refused\n10.0.2.3 refused\n"));
    CHECK_THAT(text, !Contains("reached"));
}

TEST_CASE("a name server on the host's loopback opens no other port of it to builds") {
    if (!can_run()) return;
    const Listener service(in_addr{htonl(INADDR_LOOPBACK)});
    Place place;
    base::write_file(place.path / "resolv.conf", "nameserver 127.0.0.1\n");
    const auto text = in_world(world_spec(place), [&](const engine::World& world) {
        if (::mount((place.path / "resolv.conf").c_str(), "/etc/resolv.conf", nullptr, MS_BIND,
                    nullptr) != 0)
            base::throw_errno("bind");
        auto spec = place.spec(world);
        with_internet(spec);
        const auto sandbox = engine::Sandbox::start(spec, {});
        return run(*sandbox, connect_to("10.0.2.3", service.port) + "cat /etc/resolv.conf");
    });
    CHECK(text == "10.0.2.3 refused\nnameserver 10.0.2.3\n[exit code 0]");
}

TEST_CASE("link-local addresses, the home of metadata services, are unreachable at once") {
    if (!can_run()) return;
    CHECK_THAT(run_script("nc -w 30 169.254.169.254 80 -e /bin/true 2>&1", {}, with_internet),
               Contains("No route to host") || Contains("Network is unreachable"));
}

TEST_CASE("a build with the internet reaches addresses that are not the host's loopback") {
    if (!can_run()) return;
    const auto own = outside_address();
    if (!own) {
        std::cout << "SKIP: this machine has no address but loopback\n";
        return;
    }
    const Listener service(*own);
    CHECK_THAT(run_script(connect_to(text_of(*own), service.port), {}, with_internet),
               Contains(" reached"));
}

TEST_CASE("a build without network has its own loopback and nothing more") {
    if (!can_run()) return;
    std::string script =
        "nc -l -p 8080 >/dev/null & "
        "until nc -w 1 127.0.0.1 8080 -e /bin/true 2>/dev/null; do :; done; echo own; ";
    if (const auto own = outside_address())
        script += "nc -w 5 " + text_of(*own) + " 1 -e /bin/true 2>&1; ";
    const auto text = run_script(script + "wc -l < /proc/net/route; cat /etc/resolv.conf");
    CHECK_THAT(text, StartsWith("own\n") && Contains("1\n["));
}
