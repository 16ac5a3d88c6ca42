#include "container.h"

#include "cgroup.h"

#include "base/error.h"

#include <csignal>
#include <cstdlib>
#include <fcntl.h>
#include <poll.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace engine {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t words_kept = 4096;

// The only option that is not every runtime's: crun would ask systemd for a cgroup, or make one.
std::vector<std::string> command_line(const std::string& runtime, const fs::path& directory,
                                      const fs::path& pid_file) {
    std::vector<std::string> argv = {runtime, "--root", (directory / "runtime").string()};
    if (fs::path(runtime).filename().string().starts_with("crun"))
        argv.push_back("--cgroup-manager=disabled");
    for (const auto& word :
         {std::string("run"), std::string("--pid-file"), pid_file.string(), std::string("--bundle"),
          (directory / "bundle").string(), std::string("slipway")})
        argv.push_back(word);
    return argv;
}

void set_nonblocking(int fd) {
    if (::fcntl(fd, F_SETFL, O_NONBLOCK) != 0) base::throw_errno("fcntl");
}

} // namespace

Container::Container(const std::string& runtime, const fs::path& directory,
                     const std::vector<fs::path>& cgroups)
    : pid_file_(directory / "init.pid"), cgroups_(cgroups) {
    auto in = base::make_pipe();
    auto out = base::make_pipe();
    auto err = base::make_pipe();
    base::Command command;
    command.argv = command_line(runtime, directory, pid_file_);
    command.environment = base::minimal_environment();
    command.descriptors = {{0, in.read.get()}, {1, out.write.get()}, {2, err.write.get()}};
    command.join_cgroups = cgroups;
    runtime_ = base::Process::start(command);
    input_ = std::move(in.write);
    output_ = std::move(out.read);
    errors_ = std::move(err.read);
    for (const auto* fd : {&input_, &output_, &errors_}) set_nonblocking(fd->get());
}

// A pid namespace's first process is a zombie only once all others in it are gone.
void Container::end() noexcept {
    kill();
    pollfd ended{init_.get(), POLLIN, 0};
    if (!init_ || ::poll(&ended, 1, 5000) != 1) kill_all(cgroups_);
}

Container::~Container() {
    kill();
    input_.reset();
    // The runtime ends by itself once its container has, and takes its state along.
    if (!runtime_->wait(base::Stop{}.within(std::chrono::seconds(5)))) kill_all(cgroups_);
}

void Container::drain_errors() {
    char buffer[4096];
    for (;;) {
        const ssize_t size = ::read(errors_.get(), buffer, sizeof buffer);
        if (size == 0) errors_.reset();
        if (size <= 0) return;
        last_words_.append(buffer, static_cast<std::size_t>(size));
        if (last_words_.size() > words_kept) last_words_.erase(0, last_words_.size() - words_kept);
    }
}

void Container::remember_init() noexcept {
    try {
        const auto pid = std::atoi(base::read_file(pid_file_, 64).c_str());
        if (pid > 1) init_ = base::UniqueFd(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)));
    } catch (const std::exception&) { // not written yet
    }
}

void Container::kill() noexcept {
    if (!init_) remember_init();
    if (init_) {
        ::syscall(SYS_pidfd_send_signal, init_.get(), SIGKILL, nullptr, 0);
        return;
    }
    // Not up yet. What is to become its pid 1 is in these cgroups, and so is the runtime.
    runtime_->signal(SIGKILL);
    kill_all(cgroups_);
}

} // namespace engine
