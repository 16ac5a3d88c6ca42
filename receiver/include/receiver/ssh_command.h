// What people may ask over SSH beside git: `ssh HOST builds follow ID`. Pure; any thread. Nothing
// here ever reaches a shell: what is not exactly one of these commands is refused.
#pragma once

#include "base/error.h"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace receiver {

struct SshCommand {
    enum class Verb { help, apps, list, info, follow, retry, cancel };
    Verb verb = Verb::help;
    std::string subject;      // an app's name (list) or a build's id
    std::uint64_t offset = 0; // of follow: bytes of the log that the reader has already
};

// "door.apps", "door.builds.list"...; empty for help, which asks nobody.
std::string_view verb_name(SshCommand::Verb verb) noexcept;

// Lines for the person who asked something else: what is there, or what the command lacks.
struct NoCommand {
    std::vector<std::string> lines;
};

// Words are separated by spaces; one may stand in quotes, whole, for clients that quote. Names and
// ids are letters, digits, dots and dashes.
std::variant<SshCommand, NoCommand> parse_ssh_command(std::string_view text);

std::vector<std::string> ssh_help();

// As `slipway` ends after an error of this kind (docs/errors.md; a test compares).
int exit_code_of(base::ErrorKind kind) noexcept;

} // namespace receiver
