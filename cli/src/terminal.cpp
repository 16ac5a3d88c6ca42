#include "terminal.h"

#include "base/error.h"
#include "base/fd.h"
#include "base/text.h"

#include <cstdio>
#include <poll.h>
#include <termios.h>
#include <unistd.h>

namespace cli {

using base::Error;
using base::ErrorKind;

namespace {

class WithoutEcho {
  public:
    explicit WithoutEcho(int fd) : fd_(fd) {
        if (::tcgetattr(fd, &before_) != 0) base::throw_errno("cannot ask at this terminal");
        auto quiet = before_;
        quiet.c_lflag &= ~static_cast<tcflag_t>(ECHO);
        ::tcsetattr(fd, TCSAFLUSH, &quiet);
    }
    ~WithoutEcho() {
        ::tcsetattr(fd_, TCSAFLUSH, &before_);
        std::fputc('\n', stderr); // the person's own was not shown
    }
    WithoutEcho(const WithoutEcho&) = delete;
    WithoutEcho& operator=(const WithoutEcho&) = delete;

  private:
    int fd_;
    termios before_{};
};

std::string drop_newline(std::string text) {
    if (text.ends_with('\n')) text.pop_back();
    if (text.ends_with('\r')) text.pop_back();
    return text;
}

base::Secret first_line(const std::string& text, const std::string& what) {
    auto line = base::trim(text.substr(0, text.find('\n')));
    if (line.empty()) throw Error(ErrorKind::invalid_input, "there is no " + what);
    return base::Secret(std::move(line));
}

} // namespace

base::Secret read_secret_line(const std::string& what) {
    return first_line(base::read_to_end(STDIN_FILENO, longest_secret), what + " on standard input");
}

base::Secret ask_secret(const std::string& prompt, const std::string& hint,
                        const base::Stop& stop) {
    if (!::isatty(STDIN_FILENO))
        throw Error(ErrorKind::invalid_input, "there is no terminal to ask at", hint);
    std::fprintf(stderr, "%s: ", prompt.c_str());
    const WithoutEcho quiet(STDIN_FILENO);
    // A read would be begun again after a signal and never return.
    if (!stop.wait_for(STDIN_FILENO, POLLIN)) stop.throw_if_over("asking");
    char line[8192];
    const auto n = base::read_some(STDIN_FILENO, line, sizeof line);
    return first_line(std::string(line, n), prompt);
}

Assignment read_assignment(const std::string& text) {
    const auto equals = text.find('=');
    if (equals == std::string::npos || equals == 0)
        // What stands there may be a value whose name was forgotten: it is not repeated.
        throw Error(ErrorKind::invalid_input, "a variable is given as NAME=VALUE",
                    "NAME=- reads its value from standard input, NAME=@FILE from a file.");
    auto value = text.substr(equals + 1);
    if (value == "-")
        value = drop_newline(base::read_to_end(STDIN_FILENO, longest_secret));
    else if (value.starts_with('@'))
        value = drop_newline(base::read_file(value.substr(1), longest_secret));
    return {text.substr(0, equals), base::Secret(std::move(value))};
}

} // namespace cli
