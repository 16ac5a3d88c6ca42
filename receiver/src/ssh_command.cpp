#include "receiver/ssh_command.h"

#include "receiver/app_name.h"

#include "base/text.h"

#include <algorithm>
#include <array>
#include <charconv>

namespace receiver {
namespace {

using Verb = SshCommand::Verb;

constexpr std::size_t longest_text = 512;
constexpr std::size_t longest_shown = 60;
constexpr std::size_t id_size = 13; // a letter and 12 characters

struct Known {
    std::string_view words;
    Verb verb;
    std::string_view subject; // how the help names it; empty: none
    std::string_view options;
    std::string_view meaning;
};
constexpr std::array<Known, 7> known{{
    {"apps", Verb::apps, "", "", "the apps that your key may push to"},
    {"builds list", Verb::list, "APP", "", "the newest builds of an app"},
    {"builds info", Verb::info, "BUILD", "", "all about one build"},
    {"builds follow", Verb::follow, "BUILD", " [--offset N]", "its log, while it grows"},
    {"builds retry", Verb::retry, "BUILD", "", "build the same source again"},
    {"builds cancel", Verb::cancel, "BUILD", "", "stop it"},
    {"help", Verb::help, "", "", "this list"},
}};

std::string mark(std::string text) {
    return " !     " + std::move(text);
}

NoCommand refuse(std::string text) {
    return {{mark(std::move(text)), mark("What there is: ssh HOST help")}};
}

// Empty when a quote is left open or stands inside of a word, or a byte is no printable ASCII.
std::optional<std::vector<std::string>> split(std::string_view text) {
    std::vector<std::string> words;
    while (!text.empty()) {
        if (text.front() == ' ') {
            text.remove_prefix(1);
            continue;
        }
        auto word = text.substr(0, text.find(' '));
        text.remove_prefix(word.size());
        if (word.size() >= 2 && (word.front() == '\'' || word.front() == '"') &&
            word.back() == word.front())
            word = word.substr(1, word.size() - 2);
        for (const char c : word)
            if (c <= ' ' || c > '~' || c == '\'' || c == '"' || c == '\\') return std::nullopt;
        words.emplace_back(word);
    }
    return words;
}

bool is_build_id(std::string_view text) {
    return text.size() == id_size && std::all_of(text.begin(), text.end(), [](char c) {
               return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
           });
}

const Known* find(const std::vector<std::string>& words) {
    for (const auto& command : known) {
        const bool two = command.words.find(' ') != std::string_view::npos;
        if (words.size() < (two ? 2u : 1u)) continue;
        if (command.words == (two ? words[0] + " " + words[1] : words[0])) return &command;
    }
    return nullptr;
}

// "--offset 12" and "--offset=12".
bool take_offset(const std::vector<std::string>& words, std::uint64_t& offset) {
    if (words.empty()) return true;
    std::string_view number;
    if (words.size() == 1 && words[0].starts_with("--offset="))
        number = std::string_view(words[0]).substr(9);
    else if (words.size() == 2 && words[0] == "--offset")
        number = words[1];
    const auto* end = number.data() + number.size();
    const auto [stopped, failure] = std::from_chars(number.data(), end, offset);
    return !number.empty() && failure == std::errc{} && stopped == end &&
           offset < (std::uint64_t{1} << 62);
}

std::string usage(const Known& command) {
    return "ssh HOST " + std::string(command.words) +
           (command.subject.empty() ? "" : " " + std::string(command.subject)) +
           std::string(command.options);
}

} // namespace

std::string_view verb_name(Verb verb) noexcept {
    switch (verb) {
    case Verb::apps:
        return "door.apps";
    case Verb::list:
        return "door.builds.list";
    case Verb::info:
        return "door.builds.info";
    case Verb::follow:
        return "door.builds.follow";
    case Verb::retry:
        return "door.builds.retry";
    case Verb::cancel:
        return "door.builds.cancel";
    case Verb::help:
        break;
    }
    return {};
}

std::variant<SshCommand, NoCommand> parse_ssh_command(std::string_view text) {
    const auto words = text.size() > longest_text ? std::nullopt : split(text);
    const auto* command = words && !words->empty() ? find(*words) : nullptr;
    if (!command)
        return refuse("Slipway has no command " +
                      base::quoted(std::string(text.substr(0, longest_shown))) +
                      ". It takes git push and gives git clone; there is no shell.");
    auto rest = *words;
    rest.erase(rest.begin(),
               rest.begin() + 1 + std::count(command->words.begin(), command->words.end(), ' '));
    SshCommand asked{.verb = command->verb};
    if (!command->subject.empty()) {
        if (rest.empty()) return refuse("This needs more: " + usage(*command));
        asked.subject = rest.front();
        rest.erase(rest.begin());
        const bool fits =
            command->verb == Verb::list ? is_app_name(asked.subject) : is_build_id(asked.subject);
        if (!fits)
            return refuse(base::quoted(asked.subject.substr(0, longest_shown)) + " is no " +
                          (command->verb == Verb::list ? "app's name" : "build's id") + ".");
    }
    const bool taken =
        command->verb == Verb::follow ? take_offset(rest, asked.offset) : rest.empty();
    if (!taken) return refuse("It is written so: " + usage(*command));
    return asked;
}

int exit_code_of(base::ErrorKind kind) noexcept {
    using base::ErrorKind;
    switch (kind) {
    case ErrorKind::invalid_input:
        return 2;
    case ErrorKind::denied:
    case ErrorKind::unauthenticated:
        return 3;
    case ErrorKind::not_found:
        return 4;
    case ErrorKind::already_exists:
        return 5;
    case ErrorKind::limit_exceeded:
        return 6;
    case ErrorKind::buildpack_failed:
        return 10;
    case ErrorKind::timed_out:
        return 11;
    case ErrorKind::unavailable:
        return 12;
    case ErrorKind::cancelled:
        return 13;
    case ErrorKind::internal:
        break;
    }
    return 1;
}

std::vector<std::string> ssh_help() {
    std::vector<std::string> lines{"git push and git clone, and:"};
    for (const auto& command : known) {
        auto line = "  " + usage(command);
        line.resize(std::max<std::size_t>(line.size() + 2, 46), ' ');
        lines.push_back(line + std::string(command.meaning));
    }
    return lines;
}

} // namespace receiver
