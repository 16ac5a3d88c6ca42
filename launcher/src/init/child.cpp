#include "child.h"

#include "launcher/init_protocol.h"

#include <cerrno>
#include <csignal>
#include <cstring>
#include <unistd.h>

namespace init {
namespace {

[[noreturn]] void refuse(int status, const std::string& message) {
    const std::string line = message + "\n";
    [[maybe_unused]] const ssize_t n = ::write(STDERR_FILENO, line.data(), line.size());
    ::_exit(status);
}

std::vector<char*> pointers(const std::vector<std::string>& strings) {
    std::vector<char*> list;
    list.reserve(strings.size() + 1);
    for (const std::string& string : strings) list.push_back(const_cast<char*>(string.c_str()));
    list.push_back(nullptr);
    return list;
}

std::string_view search_path(const Request& request) {
    std::string_view path;
    for (const std::string& entry : request.environment)
        if (entry.starts_with("PATH=")) path = std::string_view{entry}.substr(5);
    return path;
}

[[noreturn]] void refuse_execution(const std::string& path, int error) {
    // execve says ENOENT for the interpreter of a script too, the puzzle of every newcomer.
    if (error == ENOENT && ::access(path.c_str(), F_OK) == 0)
        refuse(launcher::status_not_executable,
               "cannot execute " + path +
                   ": the interpreter in its first line, or its dynamic "
                   "loader, does not exist");
    refuse(error == ENOENT || error == ENOTDIR ? launcher::status_not_found
                                               : launcher::status_not_executable,
           "cannot execute " + path + ": " + ::strerror(error));
}

[[noreturn]] void execute(const Request& request) {
    const std::vector<char*> arguments = pointers(request.arguments);
    const std::vector<char*> environment = pointers(request.environment);
    const std::string& name = request.arguments.front();
    if (name.find('/') != std::string::npos) {
        ::execve(name.c_str(), arguments.data(), environment.data());
        refuse_execution(name, errno);
    }
    std::string_view path = search_path(request);
    while (!path.empty() && !name.empty()) {
        const size_t colon = path.find(':');
        const std::string candidate = std::string{path.substr(0, colon)} + "/" + name;
        ::execve(candidate.c_str(), arguments.data(), environment.data());
        if (errno != ENOENT && errno != ENOTDIR && errno != EACCES)
            refuse_execution(candidate, errno);
        path = colon == std::string_view::npos ? "" : path.substr(colon + 1);
    }
    refuse(launcher::status_not_found, "cannot find the command '" + name + "' in PATH");
}

} // namespace

void become_command(const Request& request, int null_fd, int out_fd, int err_fd) {
    ::setsid();
    ::dup2(err_fd, STDERR_FILENO);
    ::dup2(out_fd, STDOUT_FILENO);
    ::dup2(null_fd, STDIN_FILENO);
    for (int number = 1; number < NSIG; ++number) ::signal(number, SIG_DFL);
    sigset_t none;
    ::sigemptyset(&none);
    ::sigprocmask(SIG_SETMASK, &none, nullptr);
    if (::chdir(request.directory.c_str()) != 0)
        refuse(launcher::status_not_executable,
               "cannot change to the directory " + request.directory + ": " + ::strerror(errno));
    execute(request);
}

} // namespace init
