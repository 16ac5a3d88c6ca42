#include "terminal.h"

#include "base/error.h"
#include "base/fd.h"
#include "base/temp_dir.h"

#include <catch2/catch.hpp>

TEST_CASE("a variable is given as it is, or by a file, without its last newline") {
    const base::TempDir directory("slipway-cli-");
    const auto file = (directory.path() / "value").string();
    CHECK(cli::read_assignment("URL=a=b").name == "URL");
    CHECK(cli::read_assignment("URL=a=b").value.reveal() == "a=b");
    CHECK(cli::read_assignment("EMPTY=").value.reveal().empty());
    base::write_file(file, "one\ntwo\n\n");
    CHECK(cli::read_assignment("PEM=@" + file).value.reveal() == "one\ntwo\n");
    base::write_file(file, "dos\r\n");
    CHECK(cli::read_assignment("X=@" + file).value.reveal() == "dos");
}

TEST_CASE("a value whose name was forgotten is not repeated in the error") {
    for (const char* text : {"hunter2", "=hunter2", ""}) {
        try {
            cli::read_assignment(text);
            FAIL("nothing was thrown");
        } catch (const base::Error& error) {
            CHECK(error.kind() == base::ErrorKind::invalid_input);
            CHECK((error.message() + error.hint()).find("hunter2") == std::string::npos);
        }
    }
    CHECK_THROWS_AS(cli::read_assignment("X=@/nonexistent"), base::Error);
}
