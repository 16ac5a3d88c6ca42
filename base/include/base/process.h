// Child processes, through Boost.Process. The only place of the project that forks, but for the
// worker's own namespaces (engine) and the static launcher.
//
// A child inherits nothing by accident: no environment, no descriptor but those named, its own
// process group. The destructor of a Process kills what still runs and reaps it: no zombie, no
// orphan in the group. One thread owns a Process.
#pragma once

#include "base/fd.h"
#include "base/stop.h"

#include <chrono>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <sys/types.h>
#include <vector>

namespace base {

struct Command {
    std::vector<std::string> argv;        // argv[0] without a slash is looked up in our PATH
    std::vector<std::string> environment; // "KEY=value"; the whole of it
    std::filesystem::path working_directory = "/";
    std::map<int, int> descriptors; // child's number -> ours (borrowed); 0, 1, 2 default to null
    std::vector<std::filesystem::path> join_cgroups; // cgroup directories entered before exec
    std::optional<std::pair<uid_t, gid_t>> run_as;   // drops all groups, then to these
    bool dies_with_parent = true;                    // SIGKILL when the thread that started it ends
};

struct ExitStatus {
    int code = 0;   // exit code when signal is 0
    int signal = 0; // the signal that ended it
    bool ok() const noexcept { return code == 0 && signal == 0; }
    std::string describe() const; // "exit code 3", "signal 9 (Killed)"
};

class Process {
  public:
    // Throws when the program cannot be executed; then nothing is left behind.
    static Process start(const Command& command);

    Process(Process&& other) noexcept;
    Process& operator=(Process&& other) noexcept;
    ~Process();

    pid_t pid() const noexcept { return pid_; }
    // Readable when the child has ended (a pidfd), for a poll loop of one's own.
    int fd() const noexcept { return pidfd_.get(); }

    // Empty when the stop came first; the child still runs then.
    std::optional<ExitStatus> wait(const Stop& stop = {});
    void signal(int number) noexcept; // to the whole process group
    // SIGTERM, `grace`, SIGKILL, reap.
    ExitStatus terminate(std::chrono::milliseconds grace);

  private:
    Process(pid_t pid, UniqueFd pidfd) : pid_(pid), pidfd_(std::move(pidfd)) {}
    pid_t pid_ = -1;
    UniqueFd pidfd_;
    std::optional<ExitStatus> status_;
};

struct Captured {
    ExitStatus status;
    std::string output; // standard output
    std::string error;  // standard error
};

// Runs a short program to its end. Output past `limit` bytes a stream is dropped. On a stop the
// child is killed and Error{cancelled | timed_out} thrown.
Captured run(Command command, const Stop& stop, std::string_view input = {},
             std::size_t limit = 1u << 20);

// PATH look-up as execvp does it; empty when there is no such program.
std::filesystem::path find_program(std::string_view name);

// Our own environment reduced to what a tool needs: PATH, HOME, LANG, TMPDIR, plus `extra`.
std::vector<std::string> minimal_environment(std::vector<std::string> extra = {});

} // namespace base
