#include "cli/exit_code.h"

#include "base/fd.h"

#include <catch2/catch.hpp>

#include <cctype>

using base::ErrorKind;

TEST_CASE("docs/errors.md has the exit code of each kind") {
    const auto text = base::read_file(SLIPWAY_SOURCE_DIR "/docs/errors.md");
    int rows = 0;
    for (std::size_t at = 0; (at = text.find("\n| `", at)) != std::string::npos; ++at) {
        const auto name = text.substr(at + 4, text.find('`', at + 4) - at - 4);
        const auto kind = base::parse_error_kind(name);
        const auto next = text.substr(at + 8 + name.size(), 2);
        if (!kind || !std::isdigit(static_cast<unsigned char>(next[0]))) continue; // another table
        ++rows;
        CHECK(std::stoi(next) == cli::exit_code_of(*kind));
    }
    CHECK(rows == static_cast<int>(ErrorKind::internal) + 1); // the last kind
}

TEST_CASE("what slipway verify ends with alone is in both documents, and is nothing else's") {
    const auto table = base::read_file(SLIPWAY_SOURCE_DIR "/docs/cli.md");
    const auto words = base::read_file(SLIPWAY_SOURCE_DIR "/docs/errors.md");
    for (const int code :
         {cli::exit_code::other_image, cli::exit_code::changed, cli::exit_code::not_reproduced}) {
        CHECK(table.find("\n| " + std::to_string(code) + " | ") != std::string::npos);
        CHECK(words.find(" " + std::to_string(code) + ", ") != std::string::npos);
        for (int kind = 0; kind <= static_cast<int>(ErrorKind::internal); ++kind)
            CHECK(cli::exit_code_of(static_cast<ErrorKind>(kind)) != code);
    }
}

TEST_CASE("a followed build ends the program as it ended itself") {
    CHECK(cli::exit_code_of_state("published") == 0);
    CHECK(cli::exit_code_of_state("refused") == 10);
    CHECK(cli::exit_code_of_state("cancelled") == 13);
    CHECK(cli::exit_code_of_state("superseded") == 13);
    CHECK(cli::exit_code_of_state("broken") == 1);
    CHECK(cli::exit_code_of_state("lost") == 1);
}
