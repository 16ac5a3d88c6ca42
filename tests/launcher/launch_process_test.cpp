// Which process is launched, with which arguments, and how launches fail.
#include "app_image.h"

#include <catch2/catch.hpp>

namespace {

using Catch::Matchers::Contains;
using Catch::Matchers::StartsWith;

constexpr const char* show_args = R"(["/usr/bin/printf", "<%s>"])";

// One buildpack and one direct process `web` of it, as the export phase writes them.
std::string metadata(const std::string& api, const std::string& process) {
    return "[[buildpacks]]\nid = \"acme/web\"\nversion = \"1.0.0\"\napi = \"" + api + "\"\n" +
           "[[processes]]\ntype = \"web\"\nbuildpack-id = \"acme/web\"\n" + process;
}

std::string direct(const std::string& command, const std::string& rest = "") {
    return "command = " + command + "\ndirect = true\n" + rest;
}

} // namespace

TEST_CASE("the process type is the last element of argv0") {
    AppImage image;
    image.metadata(metadata("0.12", direct(R"(["/bin/echo"])", "args = [\"from\", \"web\"]")));
    const auto outcome = image.launch("web");
    CHECK(outcome.err == "");
    CHECK(outcome.out == "from web\n");
    CHECK(outcome.status == 0);
}

TEST_CASE("the launched process keeps its own exit code") {
    AppImage image;
    image.metadata(metadata("0.12", direct(R"(["/bin/sh", "-c", "exit 7"])")));
    CHECK(image.launch("web").status == 7);
}

TEST_CASE("the process replaces the launcher instead of becoming its child") {
    AppImage image;
    image.metadata(metadata("0.12", direct(R"(["/bin/sh", "-c", "kill -9 $$"])")));
    CHECK(image.launch("web").status == -9);
}

TEST_CASE("a process of buildpack API 0.9 has its arguments replaced by the user's") {
    AppImage image;
    image.metadata(metadata("0.9", direct(R"(["/bin/echo"])", "args = [\"default\"]")));
    CHECK(image.launch("web", {"mine", "too"}).out == "mine too\n");
    CHECK(image.launch("web").out == "default\n");
}

TEST_CASE("a process of buildpack API 0.8 has the user's arguments appended") {
    AppImage image;
    image.metadata(metadata("0.8", direct(R"(["/bin/echo"])", "args = [\"default\"]")));
    CHECK(image.launch("web", {"mine"}).out == "default mine\n");
}

TEST_CASE("what follows the first word of a command always stays before the arguments") {
    AppImage image;
    image.metadata(metadata("0.12", direct(show_args, "args = [\"default\"]")));
    CHECK(image.launch("web", {"a b", "c"}).out == "<a b><c>");
    CHECK(image.launch("web").out == "<default>");
}

TEST_CASE("before platform API 0.10 the user's arguments are appended whatever the buildpack") {
    AppImage image;
    image.variable("CNB_PLATFORM_API", "0.9");
    image.metadata(metadata("0.12", direct("\"/bin/echo\"", "args = [\"default\"]")));
    CHECK(image.launch("web", {"mine"}).out == "default mine\n");
}

TEST_CASE("the arguments for a process of an unlisted buildpack are refused") {
    AppImage image;
    image.metadata("[[processes]]\ntype = \"web\"\ncommand = [\"true\"]\ndirect = true\n"
                   "buildpack-id = \"gone\"\n");
    CHECK(image.launch("web").status == 0);
    const auto outcome = image.launch("web", {"arg"});
    CHECK(outcome.status == 82);
    CHECK_THAT(outcome.err, Contains("'gone'"));
}

TEST_CASE("a process is eligible by exec-env from platform API 0.15") {
    AppImage image;
    image.metadata(metadata("0.12", direct(R"(["/bin/echo", "test"])", "exec-env = [\"test\"]\n")) +
                   "[[processes]]\ntype = \"web\"\ncommand = [\"/bin/echo\", \"any\"]\n"
                   "direct = true\nbuildpack-id = \"acme/web\"\nexec-env = [\"development\", "
                   "\"*\"]\n[[processes]]\ntype = \"check\"\ncommand = [\"/bin/echo\"]\n"
                   "direct = true\nbuildpack-id = \"acme/web\"\nexec-env = [\"test\"]\n");
    SECTION("the default execution environment is production") {
        CHECK(image.launch("web").out == "any\n");
        const auto refused = image.launch("check");
        CHECK(refused.status == 82);
        CHECK_THAT(refused.err, StartsWith("ERROR: ") && Contains("'production'"));
    }
    SECTION("CNB_EXEC_ENV chooses another") {
        image.variable("CNB_EXEC_ENV", "test");
        CHECK(image.launch("web").out == "test\n");
        CHECK(image.launch("check").status == 0);
    }
    SECTION("older platforms do not look at it") {
        image.variable("CNB_PLATFORM_API", "0.14");
        CHECK(image.launch("web").out == "test\n");
    }
}

TEST_CASE("an unknown name runs the user's command, directly after --") {
    AppImage image;
    image.metadata(metadata("0.12", direct(R"(["/bin/echo"])")));
    CHECK(image.launch("launcher", {"--", "printf", "<%s>", "$HOME", "a  b"}).out ==
          "<$HOME><a  b>");
}

TEST_CASE("an unknown name without -- runs the user's command in bash") {
    AppImage image;
    image.variable("GREETING", "good \"day\"");
    image.metadata(metadata("0.12", direct(R"(["/bin/echo"])")));
    SECTION("one word is a script") {
        CHECK(image.launch("launcher", {"printf '<%s>' \"$GREETING\" && echo !"}).out ==
              "<good \"day\">!\n");
    }
    SECTION("of several words each is evaluated and stays one word") {
        CHECK(
            image.launch("launcher", {"printf", "<%s>", "$GREETING", "a  b", "$(echo x y)"}).out ==
            "<good \"day\"><a  b><x y>");
    }
}

TEST_CASE("without a process type a command is required") {
    AppImage image;
    image.metadata(metadata("0.12", direct(R"(["/bin/echo"])")));
    for (const auto& args : {std::vector<std::string>{}, std::vector<std::string>{"--"}}) {
        const auto outcome = image.launch("launcher", args);
        CHECK(outcome.status == 82);
        CHECK_THAT(outcome.err, StartsWith("ERROR: ") && Contains("command is required"));
    }
}

TEST_CASE("a direct command is looked up in the PATH of the launch environment") {
    AppImage image;
    image.program("layers/acme_web/tools/bin/hello", "#!/bin/sh\necho \"hello from $0\"\n");
    image.metadata(metadata("0.12", direct(R"(["hello"])")));
    CHECK(image.launch("web").out ==
          "hello from " + image.path("layers/acme_web/tools/bin/hello") + "\n");
}

TEST_CASE("a command that cannot be found or executed is named in the failure") {
    AppImage image;
    SECTION("not in PATH") {
        image.metadata(metadata("0.12", direct(R"(["no-such-command"])")));
        CHECK_THAT(image.launch("web").err, StartsWith("ERROR: ") && Contains("no-such-command"));
    }
    SECTION("no such file") {
        image.metadata(metadata("0.12", direct(R"(["./missing"])")));
        CHECK_THAT(image.launch("web").err, Contains("./missing: No such file"));
    }
    SECTION("a directory") {
        image.metadata(metadata("0.12", direct(R"(["/usr"])")));
        CHECK_THAT(image.launch("web").err, Contains("/usr: Is a directory"));
    }
    SECTION("a text without interpreter line") {
        image.program("app/run", "echo hi\n");
        image.metadata(metadata("0.12", direct(R"(["./run"])")));
        CHECK_THAT(image.launch("web").err, Contains("./run: Exec format error"));
    }
    SECTION("only through a relative entry of PATH") {
        image.program("app/run", "#!/bin/sh\n");
        image.variable("PATH", ":/usr/bin");
        image.metadata(metadata("0.12", direct(R"(["run"])")));
        CHECK_THAT(image.launch("web").err, Contains("relative"));
    }
    SECTION("no command at all") {
        image.metadata(metadata("0.12", direct("[]")));
        CHECK_THAT(image.launch("web").err, Contains("no command"));
    }
    CHECK(image.launch("web").status == 82);
}

TEST_CASE("a process runs in its working directory, in the application directory by default") {
    AppImage image;
    image.directory("app/sub dir");
    image.metadata(metadata("0.12", direct(R"(["/bin/pwd"])")));
    CHECK(image.launch("web").out == image.path("app") + "\n");
    image.metadata(metadata("0.12", direct(R"(["/bin/pwd"])", "working-dir = \"/usr/bin\"")));
    CHECK(image.launch("web").out == "/usr/bin\n");
    image.metadata(metadata("0.8", "command = [\"pwd\"]\nworking-dir = \"" +
                                       image.path("app/sub dir") + "\"\n"));
    CHECK(image.launch("web").out == image.path("app/sub dir") + "\n");
    image.metadata(metadata("0.12", direct(R"(["/bin/pwd"])", "working-dir = \"/no/where\"")));
    CHECK(image.launch("web").status == 82);
    image.metadata(metadata("0.8", "command = [\"pwd\"]\nworking-dir = \"/no/where\"\n"));
    const auto shell = image.launch("web");
    CHECK(shell.status == 82);
    CHECK(shell.out == "");
}

TEST_CASE("an image without bash says so when a shell process is asked for") {
    AppImage image;
    image.metadata(metadata("0.8", "command = [\"echo hi\"]\n"));
    image.variable("CNB_LAYERS_DIR", "/layers");
    image.variable("CNB_APP_DIR", "/app");
    const auto outcome = image.launch_in_root({"echo hi"});
    if (!outcome) {
        WARN("skipped: this user may not change its root");
        return;
    }
    CHECK(outcome->status == 82);
    CHECK_THAT(outcome->err, StartsWith("ERROR: ") && Contains("/bin/bash"));
}

TEST_CASE("the platform API must be given and supported") {
    AppImage image;
    image.metadata(metadata("0.12", direct(R"(["true"])")));
    for (const char* version : {"", "0.6", "0.16", "1.0", "x", "0.15x"}) {
        image.variable("CNB_PLATFORM_API", version);
        const auto outcome = image.launch("web");
        CHECK(outcome.status == 11);
        CHECK_THAT(outcome.err, StartsWith("ERROR: "));
    }
    image.variable("CNB_PLATFORM_API", std::nullopt);
    CHECK(image.launch("web").status == 11);
    for (const char* version : {"0.7", "0.10", "0.15"}) {
        image.variable("CNB_PLATFORM_API", version);
        CHECK(image.launch("web").status == 0);
    }
}

TEST_CASE("every buildpack's API must be supported") {
    AppImage image;
    for (const char* version : {"0.6", "0.13", "", "latest"}) {
        image.metadata(metadata(version, direct(R"(["true"])")));
        const auto outcome = image.launch("web");
        CHECK(outcome.status == 12);
        CHECK_THAT(outcome.err, StartsWith("ERROR: ") && Contains("acme/web"));
    }
}

TEST_CASE("metadata that is missing or malformed ends the launch with its place") {
    AppImage image;
    auto outcome = image.launch("web");
    CHECK(outcome.status == 82);
    CHECK_THAT(outcome.err, Contains("metadata.toml: No such file"));

    image.metadata("[[processes]]\ntype = \n");
    outcome = image.launch("web");
    CHECK(outcome.status == 82);
    CHECK_THAT(outcome.err, Contains("line 2"));

    image.metadata("[[processes]]\ntype = 5\n");
    outcome = image.launch("web");
    CHECK(outcome.status == 82);
    CHECK_THAT(outcome.err, Contains("`type` must be a string"));
}

TEST_CASE("a missing application directory ends the launch") {
    AppImage image;
    image.metadata(metadata("0.12", direct(R"(["true"])")));
    image.variable("CNB_APP_DIR", image.path("nowhere"));
    const auto outcome = image.launch("web");
    CHECK(outcome.status == 82);
    CHECK_THAT(outcome.err, Contains(image.path("nowhere")));
}

TEST_CASE("CNB_PROCESS_TYPE is not obeyed but warned of") {
    AppImage image;
    image.metadata(metadata("0.12", direct(R"(["/bin/echo", "web"])")));
    image.variable("CNB_PROCESS_TYPE", "worker");
    const auto outcome = image.launch("web");
    CHECK(outcome.out == "web\n");
    CHECK_THAT(outcome.err, StartsWith("WARNING: "));
}
