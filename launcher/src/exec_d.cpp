#include "execute.h"
#include "failure.h"

#include <cerrno>
#include <csignal>
#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

namespace launch {
namespace {

constexpr int answer_fd = 3;
constexpr size_t answer_limit = 1024 * 1024;

[[noreturn]] void become_exec_d(const std::string& path, char* const* variables, int answer) {
    const int null = ::open("/dev/null", O_RDONLY);
    if (null >= 0) ::dup2(null, STDIN_FILENO);
    if (null > STDERR_FILENO) ::close(null);
    // dup2 onto itself would leave close-on-exec set.
    if (answer == answer_fd)
        ::fcntl(answer, F_SETFD, 0);
    else
        ::dup2(answer, answer_fd);
    char* words[] = {const_cast<char*>(path.c_str()), nullptr};
    ::execve(path.c_str(), words, variables);
    fail("cannot execute the exec.d program " + path + ": " + reason(errno));
}

std::string read_answer(int fd, const std::string& path) {
    std::string text;
    char buffer[4096];
    for (;;) {
        const ssize_t got = ::read(fd, buffer, sizeof buffer);
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) fail("cannot read what the exec.d program " + path + " wrote to descriptor 3");
        if (got == 0) return text;
        text.append(buffer, static_cast<size_t>(got));
        if (text.size() > answer_limit)
            fail("the exec.d program " + path + " wrote more than " + std::to_string(answer_limit) +
                 " bytes to descriptor 3");
    }
}

} // namespace

Variables run_exec_d(const std::string& path, const Environment& environment) {
    const std::vector<std::string> entries = environment.entries();
    std::vector<char*> variables;
    for (const std::string& entry : entries) variables.push_back(const_cast<char*>(entry.c_str()));
    variables.push_back(nullptr);

    int ends[2];
    if (::pipe2(ends, O_CLOEXEC) != 0) fail("cannot make a pipe: " + reason(errno));
    const pid_t child = ::fork();
    if (child < 0) fail("cannot start the exec.d program " + path + ": " + reason(errno));
    if (child == 0) become_exec_d(path, variables.data(), ends[1]);
    ::close(ends[1]);
    const std::string answer = read_answer(ends[0], path);
    ::close(ends[0]);

    int status = 0;
    while (::waitpid(child, &status, 0) < 0)
        if (errno != EINTR) fail("cannot wait for the exec.d program " + path);
    if (WIFSIGNALED(status))
        fail("the exec.d program " + path + " was killed by signal " +
             std::to_string(WTERMSIG(status)));
    if (WEXITSTATUS(status) != 0)
        fail("the exec.d program " + path + " ended with exit code " +
             std::to_string(WEXITSTATUS(status)));
    return parse_variables(answer, "the answer of the exec.d program " + path);
}

} // namespace launch
