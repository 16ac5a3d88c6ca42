#include "base/process.h"

#include "base/error.h"

// POSIX dropped vfork in 2008, and Boost with it; Linux has it.
#define BOOST_POSIX_HAS_VFORK 1
// Boost.Process v1: v2 of Boost 1.81 leaves a zombie and flushes our stdio when an exec fails.
#include <boost/process/args.hpp>
#include <boost/process/child.hpp>
#include <boost/process/env.hpp>
#include <boost/process/environment.hpp>
#include <boost/process/exe.hpp>
#include <boost/process/extend.hpp>
#include <boost/process/posix.hpp>
#include <boost/process/search_path.hpp>
#include <boost/process/start_dir.hpp>

#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <fcntl.h>
#include <linux/close_range.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

namespace base {
namespace {

namespace bp = boost::process;

constexpr int setup_failed = 126;

[[noreturn]] void give_up(const char* what) noexcept {
    const char* reason = ::strerror(errno);
    const std::string_view parts[] = {"could not start the program: ", what, ": ", reason, "\n"};
    for (const auto part : parts)
        if (::write(2, part.data(), part.size()) < 0) break;
    ::_exit(setup_failed);
}

// Everything between fork and exec. The parent has threads, and may share its memory with the child
// until the exec, so only system calls are made here; what they need was allocated before the fork.
class ChildSetup {
  public:
    explicit ChildSetup(const Command& command) : command_(command), parent_(::getpid()) {
        for (const auto& cgroup : command.join_cgroups)
            cgroup_files_.push_back((cgroup / "cgroup.procs").string());
        wanted_ = command.descriptors;
        for (const int standard : {0, 1, 2}) wanted_.emplace(standard, -1);
        moved_.reserve(wanted_.size());
    }

    void run() noexcept {
        ::setsid();
        // What our own parent left open without close-on-exec is not for the child either.
        ::syscall(SYS_close_range, 3, ~0u, CLOSE_RANGE_CLOEXEC);
        place_descriptors();
        for (const auto& file : cgroup_files_) join(file.c_str());
        if (command_.run_as) drop_to(*command_.run_as);
        if (command_.dies_with_parent) bind_to_parent();
        let_signals_in();
    }

  private:
    void place_descriptors() noexcept {
        const int null = ::open("/dev/null", O_RDWR | O_CLOEXEC);
        if (null < 0) give_up("/dev/null");
        // First out of the way of every wanted number, then into place.
        for (const auto& [number, ours] : wanted_) {
            const int away = ::fcntl(ours < 0 ? null : ours, F_DUPFD_CLOEXEC, 100);
            if (away < 0) give_up("descriptor");
            moved_.push_back({number, away});
        }
        for (const auto& [number, away] : moved_)
            if (::dup2(away, number) < 0) give_up("descriptor");
    }

    static void join(const char* file) noexcept {
        const int fd = ::open(file, O_WRONLY | O_CLOEXEC);
        if (fd < 0 || ::write(fd, "0", 1) != 1) give_up(file);
        ::close(fd);
    }

    static void drop_to(std::pair<uid_t, gid_t> who) noexcept {
        if (::syscall(SYS_setgroups, 0, nullptr) != 0 ||
            ::syscall(SYS_setresgid, who.second, who.second, who.second) != 0 ||
            ::syscall(SYS_setresuid, who.first, who.first, who.first) != 0)
            give_up("changing the user");
    }

    void bind_to_parent() noexcept {
        ::prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (::getppid() != parent_) ::_exit(setup_failed); // it died before the line above
    }

    // A handler of ours would run in memory that the child has only borrowed.
    static void let_signals_in() noexcept {
        for (int number = 1; number < NSIG; ++number) {
            struct sigaction action {};
            if (::sigaction(number, nullptr, &action) != 0) continue;
            const bool ignored = !(action.sa_flags & SA_SIGINFO) && action.sa_handler == SIG_IGN;
            if (ignored && number != SIGPIPE) continue;
            action = {};
            ::sigaction(number, &action, nullptr);
        }
        sigset_t none;
        sigemptyset(&none);
        ::sigprocmask(SIG_SETMASK, &none, nullptr);
    }

    const Command& command_;
    pid_t parent_;
    std::vector<std::string> cgroup_files_;
    std::map<int, int> wanted_;
    std::vector<std::pair<int, int>> moved_;
};

#if defined(__SANITIZE_THREAD__) // makes forks of them, whose errors nobody sees
constexpr bool has_vfork = false;
#else
constexpr bool has_vfork = true;
#endif

// Of the calling thread, while it lives.
class NoSignals {
  public:
    NoSignals() noexcept {
        sigset_t all;
        sigfillset(&all);
        ::pthread_sigmask(SIG_SETMASK, &all, &before_);
    }
    ~NoSignals() { ::pthread_sigmask(SIG_SETMASK, &before_, nullptr); }
    NoSignals(const NoSignals&) = delete;
    NoSignals& operator=(const NoSignals&) = delete;

  private:
    sigset_t before_;
};

std::filesystem::path program_of(const Command& command) {
    if (command.argv.empty()) throw Error(ErrorKind::internal, "a command without a program");
    const auto& name = command.argv.front();
    const bool bare = name.find('/') == std::string::npos;
    const std::filesystem::path program = bare ? find_program(name) : std::filesystem::path(name);
    if (program.empty())
        throw Error(ErrorKind::not_found, "the program \"" + name + "\" is not installed");
    return program;
}

// As execve takes them: with a null at the end. Nobody writes to them.
std::vector<char*> pointers_to(const std::vector<std::string>& argv) {
    std::vector<char*> pointers;
    for (const auto& argument : argv) pointers.push_back(const_cast<char*>(argument.c_str()));
    pointers.push_back(nullptr);
    return pointers;
}

bp::environment environment_of(const Command& command) {
    bp::environment environment;
    for (const auto& entry : command.environment) {
        const auto equals = entry.find('=');
        if (equals == std::string::npos || equals == 0) continue;
        environment[entry.substr(0, equals)] = entry.substr(equals + 1);
    }
    return environment;
}

ExitStatus status_from(const siginfo_t& info) {
    if (info.si_code == CLD_EXITED) return {.code = info.si_status, .signal = 0};
    return {.code = 0, .signal = info.si_status};
}

// One step of the pump in run(): reads what is there; false at the end of the stream.
bool drain(int fd, std::string& into, std::size_t limit) {
    char buffer[32768];
    const auto n = read_some(fd, buffer, sizeof buffer);
    if (into.size() < limit) into.append(buffer, std::min(n, limit - into.size()));
    return n > 0;
}

} // namespace

std::string ExitStatus::describe() const {
    if (signal == 0) return "exit code " + std::to_string(code);
    return "signal " + std::to_string(signal) + " (" + ::strsignal(signal) + ")";
}

Process Process::start(const Command& command) {
    const auto program = program_of(command);
    // Not bp::args: that asks an argument that is empty for its first character.
    const auto argv = pointers_to(command.argv);
    ChildSetup setup(command);
    std::error_code failure;
    pid_t failed_pid = -1;
    const auto spawn = [&](const auto&... how) {
        return bp::child(
            bp::exe = program.string(), bp::start_dir = command.working_directory.string(),
            environment_of(command),
            bp::extend::on_setup = [&argv](auto& executor) { executor.cmd_line = argv.data(); },
            bp::extend::on_exec_setup = [&setup](auto&) { setup.run(); },
            bp::extend::on_error =
                [&failed_pid](auto& executor, const std::error_code&) {
                    failed_pid = executor.pid;
                },
            failure, how...);
    };
    // A fork copies the page tables of a large server, and all its threads fault for their pages
    // afterwards; a vfork costs them nothing. Another user's child must not see our memory.
    bp::child child = [&] {
        const NoSignals held;
        return command.run_as || !has_vfork ? spawn() : spawn(bp::posix::use_vfork);
    }();
    // Boost only asks for the failed child without waiting, which leaves a zombie now and then.
    if (failure && failed_pid > 0) ::waitpid(failed_pid, nullptr, 0);
    if (failure) throw_errno(failure.value(), "could not start " + program.string());
    const pid_t pid = child.id();
    child.detach();
    UniqueFd pidfd(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)));
    if (!pidfd) {
        const int code = errno;
        ::kill(pid, SIGKILL);
        ::waitpid(pid, nullptr, 0);
        throw_errno(code, "could not watch " + program.string());
    }
    return Process(pid, std::move(pidfd));
}

Process::Process(Process&& other) noexcept
    : pid_(std::exchange(other.pid_, -1)), pidfd_(std::move(other.pidfd_)), status_(other.status_) {
}

Process& Process::operator=(Process&& other) noexcept {
    std::swap(pid_, other.pid_);
    std::swap(pidfd_, other.pidfd_);
    std::swap(status_, other.status_);
    return *this;
}

Process::~Process() {
    if (pid_ < 0 || status_) return;
    signal(SIGKILL);
    ::waitpid(pid_, nullptr, 0);
}

std::optional<ExitStatus> Process::wait(const Stop& stop) {
    if (status_) return status_;
    if (!stop.wait_for(pidfd_.get(), POLLIN)) return std::nullopt;
    siginfo_t info{};
    while (::waitid(P_PID, static_cast<id_t>(pid_), &info, WEXITED) != 0)
        if (errno != EINTR) throw_errno("could not wait for a child");
    status_ = status_from(info);
    return status_;
}

void Process::signal(int number) noexcept {
    if (pid_ < 0 || status_) return;
    // The group exists once the child has called setsid; before that only the child does.
    if (::kill(-pid_, number) != 0) ::kill(pid_, number);
}

ExitStatus Process::terminate(std::chrono::milliseconds grace) {
    signal(SIGTERM);
    if (const auto status = wait(Stop{}.within(grace))) return *status;
    signal(SIGKILL);
    return *wait();
}

Captured run(Command command, const Stop& stop, std::string_view input, std::size_t limit) {
    Pipe in = make_pipe(), out = make_pipe(), err = make_pipe();
    command.descriptors = {{0, in.read.get()}, {1, out.write.get()}, {2, err.write.get()}};
    Process process = Process::start(command);
    in.read.reset();
    out.write.reset();
    err.write.reset();
    ::fcntl(in.write.get(), F_SETFL, O_NONBLOCK);

    Captured result;
    while (out.read || err.read) {
        if (input.empty()) in.write.reset();
        pollfd fds[] = {{out.read.get(), POLLIN, 0},
                        {err.read.get(), POLLIN, 0},
                        {in.write.get(), POLLOUT, 0},
                        {stop.fd(), POLLIN, 0}};
        if (::poll(fds, 4, stop.poll_timeout()) < 0 && errno != EINTR) throw_errno("poll");
        stop.throw_if_over(command.argv.front().c_str());
        if (fds[0].revents && !drain(out.read.get(), result.output, limit)) out.read.reset();
        if (fds[1].revents && !drain(err.read.get(), result.error, limit)) err.read.reset();
        if (fds[2].revents) {
            const ssize_t n = ::write(in.write.get(), input.data(), input.size());
            if (n > 0) input.remove_prefix(static_cast<std::size_t>(n));
            if (n < 0 && errno != EAGAIN && errno != EINTR) input = {};
        }
    }
    const auto status = process.wait(stop);
    if (!status) stop.throw_if_over(command.argv.front().c_str());
    result.status = *status;
    return result;
}

std::filesystem::path find_program(std::string_view name) {
    return bp::search_path(std::string(name)).string();
}

std::vector<std::string> minimal_environment(std::vector<std::string> extra) {
    std::vector<std::string> environment;
    for (const char* name : {"PATH", "HOME", "LANG", "TMPDIR"})
        if (const char* value = std::getenv(name))
            environment.push_back(name + ("=" + std::string(value)));
    for (auto& entry : extra) environment.push_back(std::move(entry));
    return environment;
}

} // namespace base
