// enter(): the way from the worker as it was started to the worker's own namespaces.
//
//   outer ─ fork ─► inner init (pid 1, reaps orphans) ─ fork ─► the worker's own code
//
// Outer and init speak over a socket pair during set-up: 'm' asks for the id maps, 'r' says that
// all is ready, 'f' carries a failure; each is answered with 'g' (go on). Whoever finds the socket
// closed instead knows that the other has died before its own death signal was in force.
#include "engine/namespaces.h"

#include "cgroup.h"
#include "ids.h"
#include "mounts.h"

#include "base/error.h"
#include "base/fd.h"
#include "base/log.h"

#include <cerrno>
#include <csignal>
#include <cstdio>
#include <fcntl.h>
#include <grp.h>
#include <optional>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

namespace engine {
namespace {

constexpr int broken = 70; // exit code of a worker that threw, as EX_SOFTWARE

bool is_root() noexcept {
    return ::geteuid() == 0;
}

int exit_code_of(int status) noexcept {
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

void check_name(const std::string& name) {
    const auto good = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-";
    if (name.empty() || name.size() > 64 || name.front() == '.' ||
        name.find_first_not_of(good) != std::string::npos)
        throw base::Error(base::ErrorKind::internal, "\"" + name + "\" cannot name a cgroup");
}

sigset_t watched_signals() noexcept {
    sigset_t set;
    sigemptyset(&set);
    for (const int number : {SIGTERM, SIGINT, SIGHUP, SIGCHLD}) sigaddset(&set, number);
    return set;
}

// Waits for `child`, reaps whoever else ends, and passes on what asks us to stop. The signals are
// blocked: sigwaitinfo takes them one by one, and pid 1 would not get unhandled ones otherwise.
int wait_and_forward(pid_t child) noexcept {
    const sigset_t set = watched_signals();
    for (;;) {
        for (;;) {
            int status = 0;
            const pid_t ended = ::waitpid(-1, &status, WNOHANG);
            if (ended == child) return exit_code_of(status);
            if (ended <= 0) break;
        }
        siginfo_t info{};
        const int number = ::sigwaitinfo(&set, &info);
        if (number > 0 && number != SIGCHLD) ::kill(child, number);
    }
}

// --- the inner side ------------------------------------------------------------------------

void send_byte(int socket, char byte) {
    base::write_all(socket, std::string_view(&byte, 1));
}

void wait_for_go(int socket) noexcept {
    char answer = 0;
    if (::read(socket, &answer, 1) != 1 || answer != 'g') ::_exit(broken);
}

[[noreturn]] void report_failure(int socket, const base::Error& error) noexcept {
    try {
        base::write_all(socket, "f" + std::string(base::to_string(error.kind())) + '\0' +
                                    error.message() + '\0' + error.hint());
    } catch (...) { // the outer has died
    }
    ::_exit(broken);
}

void unshare_or_throw(int flags) {
    if (::unshare(flags) == 0) return;
    if (errno == ENOSPC || errno == EUSERS || errno == EPERM)
        throw base::Error(base::ErrorKind::denied, "the kernel does not allow a user namespace",
                          "allow them: sysctl user.max_user_namespaces, "
                          "kernel.unprivileged_userns_clone, or AppArmor's restriction");
    base::throw_errno("could not make the build's namespaces");
}

void become_inner_root() {
    // Left out for an ordinary user, whose groups newgidmap keeps from being dropped.
    if (::setgroups(0, nullptr) != 0 && errno != EPERM) base::throw_errno("setgroups");
    if (::setresgid(0, 0, 0) != 0 || ::setresuid(0, 0, 0) != 0)
        base::throw_errno("could not become the inner root");
    // Changing ids cleared both: our own /proc/self files, and our tie to the outer.
    ::prctl(PR_SET_DUMPABLE, 1);
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    ::umask(022);
}

void bind_all(const WorldSpec& spec, unsigned first_id) {
    for (const auto& [source, target] : spec.read_only_binds)
        bind_read_only(source, target, first_id);
}

struct InnerStart {
    const WorldSpec& spec;
    const std::function<int(const World&)>& inner;
    const World& world;
    unsigned first_id;
    sigset_t signals; // the mask that enter() was called with
};

// Pid 1 and the code that it is for. Apart, because whoever waits for its own children only (as
// base::Process does) must not be the one to whom orphans fall.
[[noreturn]] void run_inner(const InnerStart& start) noexcept {
    const pid_t worker = ::fork();
    if (worker < 0) ::_exit(broken);
    if (worker > 0) ::_exit(wait_and_forward(worker));
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    ::sigprocmask(SIG_SETMASK, &start.signals, nullptr);
    ::signal(SIGPIPE, SIG_IGN); // a sandbox that ends while it is written to is an ordinary case
    int code = broken;
    try {
        code = start.inner(start.world);
    } catch (const base::Error& error) {
        base::log::error("the worker failed", {{"error", error.describe()}});
    } catch (const std::exception& error) {
        base::log::error("the worker failed", {{"error", error.what()}});
    }
    std::fflush(nullptr);
    ::_exit(code);
}

// As an ordinary user the pid namespace comes with the user namespace, so that its pid 1 is one
// fork further down.
void fork_into_pid_namespace() {
    const pid_t init = ::fork();
    if (init < 0) base::throw_errno("could not fork");
    if (init > 0) ::_exit(wait_and_forward(init));
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    make_private();
    mount_proc();
    hide_hybrid_cgroup();
}

[[noreturn]] void start_inner(const InnerStart& start, base::UniqueFd socket, bool root) noexcept {
    try {
        ::prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (root) {
            unshare_or_throw(CLONE_NEWNS);
            prepare_host_mounts();
            bind_all(start.spec, start.first_id);
            unshare_or_throw(CLONE_NEWUSER | CLONE_NEWNS);
        } else {
            unshare_or_throw(CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWPID);
        }
        send_byte(socket.get(), 'm');
        wait_for_go(socket.get());
        become_inner_root();
        if (!root) {
            fork_into_pid_namespace();
            bind_all(start.spec, 0);
        }
        send_byte(socket.get(), 'r');
        wait_for_go(socket.get());
    } catch (const base::Error& error) {
        report_failure(socket.get(), error);
    } catch (const std::exception& error) {
        report_failure(socket.get(), base::Error(base::ErrorKind::internal, error.what()));
    }
    socket.reset();
    run_inner(start);
}

// --- the outer side ------------------------------------------------------------------------

[[noreturn]] void throw_reported(const std::string& text) {
    const auto first = text.find('\0');
    const auto second = text.find('\0', first + 1);
    if (second == std::string::npos)
        throw base::Error(base::ErrorKind::internal, "the build's namespaces could not be made");
    throw base::Error(
        base::parse_error_kind(text.substr(0, first)).value_or(base::ErrorKind::internal),
        text.substr(first + 1, second - first - 1), text.substr(second + 1));
}

void attend_start(int socket, pid_t child, unsigned first_id) {
    for (;;) {
        char message = 0;
        if (base::read_some(socket, &message, 1) == 0) throw_reported("");
        if (message == 'f') throw_reported(base::read_to_end(socket, 64 * 1024));
        if (message == 'm') write_id_maps(child, first_id);
        send_byte(socket, 'g');
        if (message == 'r') return;
    }
}

void own_directories(const WorldSpec& spec, unsigned first_id) {
    if (!is_root()) return;
    for (const auto& directory : spec.owned_directories) {
        const auto fd = base::open_file(directory, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        struct stat info {};
        if (::fstat(fd.get(), &info) != 0) base::throw_errno("fstat " + directory.string());
        if (info.st_uid == first_id && info.st_gid == first_id) continue;
        if (::fchown(fd.get(), first_id, first_id) != 0)
            base::throw_errno("could not hand " + directory.string() + " to the builds' user");
    }
}

// An ordinary user has cgroups only where the system delegates them; root may do without only
// where there are none.
std::optional<Cgroups> make_cgroups(const WorldSpec& spec, unsigned first_id) {
    auto hierarchies = find_hierarchies();
    if (hierarchies.empty()) return std::nullopt;
    try {
        return Cgroups::create(std::move(hierarchies), spec.name, spec.limits,
                               is_root() ? std::optional(first_id) : std::nullopt);
    } catch (const base::Error& error) {
        base::log::warning("builds run without cgroup limits", {{"reason", error.describe()}});
        return std::nullopt;
    }
}

// The caller's signal mask, given back however enter() ends.
class BlockedSignals {
  public:
    BlockedSignals() {
        const sigset_t set = watched_signals();
        ::sigprocmask(SIG_BLOCK, &set, &before_);
    }
    ~BlockedSignals() { ::sigprocmask(SIG_SETMASK, &before_, nullptr); }
    BlockedSignals(const BlockedSignals&) = delete;
    BlockedSignals& operator=(const BlockedSignals&) = delete;
    const sigset_t& before() const noexcept { return before_; }

  private:
    sigset_t before_{};
};

} // namespace

int enter(const WorldSpec& spec, const std::function<int(const World&)>& inner) {
    check_name(spec.name);
    const bool root = is_root();
    const unsigned first_id = choose_first_id(spec.first_id);
    own_directories(spec, first_id);
    const BlockedSignals blocked;
    const auto cgroups = make_cgroups(spec, first_id);
    World world;
    if (cgroups) world.sandbox_cgroups = cgroups->sandbox();

    const auto own_pids = base::open_file("/proc/self/ns/pid", O_RDONLY | O_CLOEXEC);
    if (root && ::unshare(CLONE_NEWPID) != 0) base::throw_errno("could not make a pid namespace");
    auto [ours, theirs] = base::make_socket_pair();
    std::fflush(nullptr); // or both would print what is buffered
    const pid_t child = ::fork();
    if (child < 0) base::throw_errno("could not fork");
    // Only that one child goes there; what the caller starts later stays beside the caller.
    if (child > 0 && root) ::setns(own_pids.get(), CLONE_NEWPID);
    if (child == 0) {
        ours.reset();
        start_inner({spec, inner, world, first_id, blocked.before()}, std::move(theirs), root);
    }
    theirs.reset();
    try {
        attend_start(ours.get(), child, first_id);
    } catch (...) {
        ::kill(child, SIGKILL);
        ::waitpid(child, nullptr, 0);
        throw;
    }
    return wait_and_forward(child);
}

void sweep_cgroups() {
    sweep(find_hierarchies());
}

} // namespace engine
