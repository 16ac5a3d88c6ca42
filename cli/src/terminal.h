// What a person types or pipes in that nobody else should see. main's thread.
#pragma once

#include "base/secret.h"
#include "base/stop.h"

#include <string>

namespace cli {

constexpr std::size_t longest_secret = 1u << 20;

// The first line of standard input. Throws Error{invalid_input} when it is empty.
base::Secret read_secret_line(const std::string& what);

// Typed at the terminal, without an echo. Throws Error{invalid_input} with `hint` when standard
// input is no terminal, Error{cancelled} on the stop (the echo is back then).
base::Secret ask_secret(const std::string& prompt, const std::string& hint, const base::Stop& stop);

// "NAME=VALUE", "NAME=-" (standard input) or "NAME=@FILE"; of the latter two one newline at the end
// is dropped. Throws Error{invalid_input} for another form.
struct Assignment {
    std::string name;
    base::Secret value;
};
Assignment read_assignment(const std::string& text);

} // namespace cli
