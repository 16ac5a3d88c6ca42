#include "receiver/ssh_command.h"

#include "base/fd.h"

#include <catch2/catch.hpp>

#include <sstream>

using receiver::NoCommand;
using receiver::parse_ssh_command;
using receiver::SshCommand;
using Verb = receiver::SshCommand::Verb;

namespace {

SshCommand taken(const char* text) {
    const auto parsed = parse_ssh_command(text);
    INFO(text);
    REQUIRE(std::holds_alternative<SshCommand>(parsed));
    return std::get<SshCommand>(parsed);
}

bool is_refused(std::string_view text) {
    const auto parsed = parse_ssh_command(text);
    if (!std::holds_alternative<NoCommand>(parsed)) return false;
    for (const auto& line : std::get<NoCommand>(parsed).lines) {
        CHECK(line.starts_with(" !     "));
        CHECK(line.find('\x1b') == std::string::npos);
        CHECK(line.size() < 300);
    }
    return true;
}

} // namespace

TEST_CASE("each command is read") {
    CHECK(taken("help").verb == Verb::help);
    CHECK(taken("apps").verb == Verb::apps);
    CHECK(taken("builds list shop").verb == Verb::list);
    CHECK(taken("builds list shop").subject == "shop");
    CHECK(taken("builds info b123456789abc").verb == Verb::info);
    CHECK(taken("  builds   cancel 'b123456789abc' ").subject == "b123456789abc");
    CHECK(taken("builds retry b123456789abc").verb == Verb::retry);
    CHECK(receiver::verb_name(Verb::retry) == "door.builds.retry");
    CHECK(taken("builds follow b123456789abc").offset == 0);
    CHECK(taken("builds follow b123456789abc --offset 4096").offset == 4096);
    CHECK(taken("builds follow \"b123456789abc\" --offset=7").offset == 7);
}

TEST_CASE("everything else is refused") {
    for (const char* text : {"",
                             " ",
                             "ls",
                             "sh -c id",
                             "apps; id",
                             "apps && id",
                             "apps|id",
                             "apps\nid",
                             "apps extra",
                             "help me",
                             "builds",
                             "builds list",
                             "builds list shop more",
                             "builds list Shop",
                             "builds list ../shop",
                             "builds list shop.git",
                             "builds info",
                             "builds info shop",
                             "builds info b12345678/abc",
                             "builds info $(id)",
                             "builds info `id`",
                             "builds info b123456789abcd",
                             "builds follow b123456789abc --offset",
                             "builds follow b123456789abc --offset -1",
                             "builds follow b123456789abc --offset 1x",
                             "builds follow b123456789abc --offset=",
                             "builds follow b123456789abc -f",
                             "builds follow b123456789abc --offset 99999999999999999999",
                             "builds  list \"shop",
                             "builds list sh'o'p",
                             "builds list sh\\op",
                             "BUILDS list shop",
                             "door.apps",
                             "--help",
                             "builds restart b123456789abc",
                             "builds retry shop",
                             "\x1b[31mapps",
                             "apps\x7f",
                             "\xc3\xa4pps"}) {
        INFO(text);
        CHECK(is_refused(text));
    }
    CHECK(is_refused(std::string_view("apps\0", 5)));
    CHECK(is_refused("apps" + std::string(600, ' ')));
    CHECK(is_refused(std::string(100'000, 'a')));
}

TEST_CASE("a command that lacks something is told how it is written") {
    const auto parsed = parse_ssh_command("builds follow");
    REQUIRE(std::holds_alternative<NoCommand>(parsed));
    CHECK(std::get<NoCommand>(parsed).lines.front().find("builds follow BUILD [--offset N]") !=
          std::string::npos);
}

TEST_CASE("the help names every command") {
    std::string all;
    for (const auto& line : receiver::ssh_help()) all += line + "\n";
    for (const char* name : {"ssh HOST apps", "builds list APP", "builds info BUILD",
                             "builds follow BUILD", "builds retry BUILD", "builds cancel BUILD"})
        CHECK(all.find(name) != std::string::npos);
}

TEST_CASE("errors have the exit codes of docs/errors.md") {
    std::istringstream document(base::read_file(SLIPWAY_SOURCE_DIR "/docs/errors.md"));
    int rows = 0;
    for (std::string line; std::getline(document, line);) {
        // | `kind` | code | meaning |
        const auto end = line.find("` | ");
        if (!line.starts_with("| `") || end == std::string::npos || line[end + 4] > '9') continue;
        const auto kind = base::parse_error_kind(line.substr(3, end - 3));
        if (!kind) continue;
        INFO(line);
        CHECK(line.find("` | " + std::to_string(receiver::exit_code_of(*kind)) + " | ") !=
              std::string::npos);
        ++rows;
    }
    CHECK(rows == 11);
}
