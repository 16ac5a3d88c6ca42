#include "execute.h"

#include "failure.h"
#include "files.h"

#include <algorithm>
#include <cerrno>
#include <sys/stat.h>
#include <unistd.h>

namespace launch {
namespace {

constexpr const char* bash = "/bin/bash";

std::vector<char*> pointers(const std::vector<std::string>& strings) {
    std::vector<char*> list;
    list.reserve(strings.size() + 1);
    for (const std::string& string : strings) list.push_back(const_cast<char*>(string.c_str()));
    list.push_back(nullptr);
    return list;
}

// 0 when the path is a program this user may execute, otherwise the errno.
int check_executable(const std::string& path) {
    struct stat status {};
    if (::stat(path.c_str(), &status) != 0) return errno;
    if (S_ISDIR(status.st_mode)) return EISDIR;
    return ::access(path.c_str(), X_OK) == 0 ? 0 : errno;
}

std::string find_program(const std::string& name, const std::string& path) {
    if (name.empty()) fail("the process has an empty command");
    if (name.find('/') != std::string::npos) {
        if (const int error = check_executable(name); error != 0)
            fail("cannot execute " + name + ": " + reason(error));
        return name;
    }
    for (size_t start = 0; start <= path.size();) {
        const size_t end = std::min(path.find(':', start), path.size());
        const std::string directory = path.substr(start, end - start);
        const std::string candidate = join(directory.empty() ? "." : directory, name);
        if (check_executable(candidate) == 0) {
            // A program of the working directory must be asked for as ./name.
            if (!candidate.starts_with('/'))
                fail("PATH finds " + name + " only relative to the working directory, as " +
                     candidate + "; give the command with its directory");
            return candidate;
        }
        start = end + 1;
    }
    fail("cannot find the command " + name + " in PATH (" + path + ")");
}

std::string quoted(std::string_view text) {
    std::string result = "'";
    for (const char c : text) {
        if (c == '\'')
            result += "'\\''";
        else
            result += c;
    }
    return result += '\'';
}

// A command without arguments is a script of its own. With arguments, the shell evaluates each
// word as if it stood in double quotes, so that $PORT works, and keeps it one word.
std::string inner_script(const Process& process) {
    if (process.args.empty()) return "exec bash -c \"$1\"";
    std::string words;
    for (size_t i = 0; i <= process.args.size(); ++i)
        words += "\"$(eval \"echo \\\"${" + std::to_string(i) + "}\\\"\")\" ";
    return "exec bash -c " + quoted(words) + " \"$@\"";
}

} // namespace

void execute_direct(const Process& process, const Environment& environment,
                    const std::string& working_directory) {
    if (process.command.empty()) fail("the process type " + process.type + " has no command");
    const std::string program = find_program(process.command.front(), environment.get("PATH"));
    if (::chdir(working_directory.c_str()) != 0)
        fail("cannot change to the working directory " + working_directory + ": " + reason(errno));
    std::vector<std::string> words = process.command;
    words.insert(words.end(), process.args.begin(), process.args.end());
    const std::vector<std::string> variables = environment.entries();
    ::execve(program.c_str(), pointers(words).data(), pointers(variables).data());
    fail("cannot execute " + program + ": " + reason(errno));
}

void execute_in_shell(const Process& process, const Environment& environment,
                      const std::string& working_directory,
                      const std::vector<std::string>& profiles, const std::string& self) {
    std::string script;
    for (const std::string& profile : profiles) script += "source " + quoted(profile) + "\n";
    script += "cd " + quoted(working_directory) + " || exit 82\n" + inner_script(process);

    std::string command;
    for (const std::string& word : process.command) {
        if (!command.empty()) command += ' ';
        command += word;
    }
    std::vector<std::string> words{"bash", "-c", script, self, command};
    words.insert(words.end(), process.args.begin(), process.args.end());
    const std::vector<std::string> variables = environment.entries();
    ::execve(bash, pointers(words).data(), pointers(variables).data());
    if (errno == ENOENT)
        fail("this image has no /bin/bash, which a shell process needs; use `-- " + command +
             "` or a direct process, or a run image with bash");
    fail(std::string{"cannot execute "} + bash + ": " + reason(errno));
}

} // namespace launch
