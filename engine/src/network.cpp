#include "network.h"

#include "netlink.h"

#include "base/error.h"
#include "base/task_group.h"
#include "base/text.h"

#include <cerrno>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <sstream>
#include <sys/mount.h>
#include <unistd.h>

namespace engine {
namespace {

namespace fs = std::filesystem;

constexpr std::uint32_t name_server = 0x0a000203; // 10.0.2.3, slirp4netns's own
constexpr std::uint32_t link_local = 0xa9fe0000;  // 169.254.0.0/16
constexpr std::uint16_t name_service = 53;

// The router's name server stands for the one in the host's resolv.conf, often a caching resolver
// on loopback. That other ports of its address lead nowhere must not hang on libslirp's version.
void refuse_what_is_the_host(RouteSocket& routes) {
    routes.refuse_network(link_local, 16);
    routes.refuse_all_ports_but(name_server, name_service);
}

// New interfaces (the router's) come without IPv6, which slirp4netns is not asked to carry;
// loopback keeps ::1. What /proc/sys/net shows is the calling thread's namespace.
void turn_ipv6_off() {
    const base::UniqueFd file(
        ::open("/proc/sys/net/ipv6/conf/default/disable_ipv6", O_WRONLY | O_CLOEXEC));
    if (file && ::write(file.get(), "1", 1) != 1)
        base::throw_errno("could not turn IPv6 off in the sandbox");
}

// Runs in a thread of its own: a thread changes its network namespace alone, and could not come
// back to the host's, which is not the inner root's.
void make_namespace(const fs::path& name, Network kind) {
    if (::unshare(CLONE_NEWNET) != 0) base::throw_errno("could not make a network namespace");
    RouteSocket routes;
    routes.bring_loopback_up();
    turn_ipv6_off();
    if (kind == Network::internet) refuse_what_is_the_host(routes);
    const auto self = "/proc/self/task/" + std::to_string(::gettid()) + "/ns/net";
    if (::mount(self.c_str(), name.c_str(), nullptr, MS_BIND, nullptr) != 0)
        base::throw_errno("could not name the sandbox's network namespace");
}

std::string in_one_line(const fs::path& file) {
    auto text = base::trim(base::read_file(file, 4096));
    for (std::size_t at = 0; (at = text.find('\n', at)) != std::string::npos;)
        text.replace(at, 1, "; ");
    return base::printable(text);
}

} // namespace

NetworkNamespace::NetworkNamespace(Network kind, fs::path directory, const base::Stop& stop)
    : path_(std::move(directory) / "network") {
    base::write_file(path_, "");
    base::TaskGroup group;
    group.start([&](const base::Stop&) { make_namespace(path_, kind); });
    group.join();
    if (kind == Network::none) return;
    try {
        start_router(stop);
    } catch (...) {
        ::umount2(path_.c_str(), MNT_DETACH);
        throw;
    }
}

NetworkNamespace::~NetworkNamespace() {
    router_.reset();
    ::umount2(path_.c_str(), MNT_DETACH);
}

void NetworkNamespace::start_router(const base::Stop& stop) {
    const auto messages = path_.parent_path() / "slirp4netns.log";
    const auto log = base::open_file(messages, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC);
    auto ready = base::make_pipe();
    base::Command command;
    command.argv = {
        "slirp4netns",       "--configure",  "--mtu=65520",      "--disable-host-loopback",
        "--netns-type=path", "--ready-fd=3", "--enable-sandbox", "--enable-seccomp",
        path_.string(),      "tap0"};
    command.environment = base::minimal_environment();
    command.descriptors = {{1, log.get()}, {2, log.get()}, {3, ready.write.get()}};
    router_ = base::Process::start(command);
    ready.write.reset();
    const auto patience = stop.within(std::chrono::seconds(20));
    char answer = 0;
    if (patience.wait_for(ready.read.get(), POLLIN) &&
        base::read_some(ready.read.get(), &answer, 1) == 1)
        return;
    stop.throw_if_over("starting the sandbox's network");
    throw base::Error(base::ErrorKind::unavailable,
                      "slirp4netns did not start: " + in_one_line(messages),
                      "run \"slipway doctor\"; builds can also go without network");
}

std::string resolver_configuration(Network kind, std::string_view host_configuration) {
    if (kind == Network::none) return "";
    std::string search;
    std::istringstream lines{std::string(host_configuration)};
    for (std::string line; std::getline(lines, line);) // the last one counts, resolv.conf(5)
        if (line.starts_with("search ") || line.starts_with("domain ")) search = line + "\n";
    return search + "nameserver 10.0.2.3\n";
}

} // namespace engine
