// The environment a process is launched with: layers, exec.d programs, profile scripts.
#include "app_image.h"

#include <catch2/catch.hpp>

#include <filesystem>

namespace {

using Catch::Matchers::Contains;
using Catch::Matchers::StartsWith;

constexpr const char* two_buildpacks = R"(
[[buildpacks]]
id = "acme/first"
version = "1.0.0"
api = "0.12"

[[buildpacks]]
id = "acme/second"
version = "1.0.0"
api = "0.8"

[[processes]]
type = "web"
command = ["/usr/bin/env"]
direct = true
buildpack-id = "acme/first"

[[processes]]
type = "worker"
command = ["/usr/bin/env"]
direct = true
buildpack-id = "acme/first"

[[processes]]
type = "shell"
command = ["echo \"$NOTE\""]
direct = false
buildpack-id = "acme/second"
)";

struct Launched : AppImage {
    Launched() { metadata(two_buildpacks); }

    // The value of a variable in the launched process, "(none)" when it has none.
    std::string value(const std::string& name, const std::string& type = "web") const {
        const Outcome outcome = launch(type);
        INFO(outcome.err);
        CHECK(outcome.status == 0);
        const std::string text = "\n" + outcome.out;
        const size_t at = text.find("\n" + name + "=");
        if (at == std::string::npos) return "(none)";
        const size_t start = at + name.size() + 2;
        return text.substr(start, text.find('\n', start) - start);
    }
};

} // namespace

TEST_CASE("the launcher's own variables and directories do not reach the process") {
    Launched image;
    image.variable("CNB_DEPRECATION_MODE", "quiet");
    image.variable("CNB_PROCESS_TYPE", "x");
    image.variable("CNB_EXEC_ENV", "production");
    image.variable("KEPT", "yes");
    for (const char* name : {"CNB_LAYERS_DIR", "CNB_APP_DIR", "CNB_PLATFORM_API",
                             "CNB_DEPRECATION_MODE", "CNB_PROCESS_TYPE"})
        CHECK(image.value(name) == "(none)");
    CHECK(image.value("CNB_EXEC_ENV") == "production");
    CHECK(image.value("KEPT") == "yes");
    CHECK(image.value("PATH") == "/usr/bin:/bin");
    image.variable("PATH", "/usr/bin:/cnb/process/x:/cnb/lifecycle:/bin:/cnb/process");
    CHECK(image.value("PATH") == "/usr/bin:/cnb/process/x:/bin");
}

TEST_CASE("bin and lib of layers are put in front, later buildpacks and layers first") {
    Launched image;
    for (const char* layer : {"acme_first/b", "acme_first/a", "acme_second/c"}) {
        image.directory(std::string{"layers/"} + layer + "/bin");
        image.directory(std::string{"layers/"} + layer + "/lib");
        image.directory(std::string{"layers/"} + layer + "/include");
    }
    image.directory("layers/unlisted/x/bin");
    const std::string layers = image.path("layers/");
    CHECK(image.value("PATH") == layers + "acme_second/c/bin:" + layers + "acme_first/b/bin:" +
                                     layers + "acme_first/a/bin:/usr/bin:/bin");
    CHECK(image.value("LD_LIBRARY_PATH") == layers + "acme_second/c/lib:" + layers +
                                                "acme_first/b/lib:" + layers + "acme_first/a/lib");
    CHECK(image.value("LIBRARY_PATH") == "(none)");
    CHECK(image.value("CPATH") == "(none)");
}

TEST_CASE("the suffix of an env file says how it changes the variable") {
    Launched image;
    const std::string env = "layers/acme_first/a/env/";
    image.variable("SET", "old");
    image.variable("PLAIN", "old");
    image.variable("BACK", "old");
    image.variable("FRONT", "old");
    image.variable("GIVEN", "old");
    image.variable("EMPTY", "");
    image.file(env + "SET.override", "new");
    image.file(env + "PLAIN", "new\n");
    image.file(env + "BACK.append", "new");
    image.file(env + "BACK.delim", ":");
    image.file(env + "FRONT.prepend", "new");
    image.file(env + "GIVEN.default", "new");
    image.file(env + "EMPTY.default", "new");
    image.file(env + "ABSENT.default", "new");
    image.file(env + "ALONE.append", "new");
    image.file(env + "ALONE.delim", ":");
    image.file(env + "ODD.suffix", "new");
    image.file(env + "TWO.append.prepend", "new");
    image.file(env + "LITERAL", "$HOME `id` \\n");
    CHECK(image.value("SET") == "new");
    CHECK(image.value("PLAIN") == "new");
    CHECK(image.value("BACK") == "old:new");
    CHECK(image.value("FRONT") == "newold");
    CHECK(image.value("GIVEN") == "old");
    CHECK(image.value("EMPTY") == "new");
    CHECK(image.value("ABSENT") == "new");
    CHECK(image.value("ALONE") == "new");
    CHECK(image.value("ODD") == "(none)");
    CHECK(image.value("TWO") == "(none)");
    CHECK(image.value("LITERAL") == "$HOME `id` \\n");
}

TEST_CASE("a delimiter counts only for the directory it stands in") {
    Launched image;
    image.file("layers/acme_first/a/env/LIST.append", "1");
    image.file("layers/acme_first/a/env/LIST.delim", ":");
    image.file("layers/acme_first/a/env.launch/LIST.append", "2");
    image.file("layers/acme_first/b/env/LIST.append", "3");
    image.file("layers/acme_first/b/env/LIST.delim", ";");
    CHECK(image.value("LIST") == "12;3");
}

TEST_CASE("env comes before env.launch and that before env.launch of the process") {
    Launched image;
    const std::string layer = "layers/acme_first/a/";
    image.file(layer + "env/ORDER.append", "1");
    image.file(layer + "env.launch/ORDER.append", "2");
    image.file(layer + "env.launch/web/ORDER.append", "3");
    image.file(layer + "env.launch/worker/ORDER.append", "W");
    image.file(layer + "env.build/ORDER.append", "B");
    image.file("layers/acme_first/b/env/ORDER.append", "4");
    image.file("layers/acme_second/a/env/ORDER.append", "5");
    CHECK(image.value("ORDER") == "12345");
    CHECK(image.value("ORDER", "worker") == "12W45");
}

TEST_CASE("roots of all layers of a buildpack come before its env files") {
    Launched image;
    image.file("layers/acme_first/a/env/PATH.prepend", "/own");
    image.file("layers/acme_first/a/env/PATH.delim", ":");
    image.directory("layers/acme_first/b/bin");
    CHECK(image.value("PATH") ==
          "/own:" + image.path("layers/acme_first/b/bin") + ":/usr/bin:/bin");
}

TEST_CASE("symbolic links: to env files they count, to directories they do not") {
    Launched image;
    image.file("layers/acme_first/a/value", "linked");
    image.directory("layers/acme_first/a/env");
    std::filesystem::create_symlink("../value", image.path("layers/acme_first/a/env/LINKED"));
    std::filesystem::create_symlink("/usr", image.path("layers/acme_first/a/env/DIRECTORY"));
    image.file("elsewhere/env/STRAY", "1");
    std::filesystem::create_symlink(image.path("elsewhere"), image.path("layers/acme_first/z"));
    CHECK(image.value("LINKED") == "linked");
    CHECK(image.value("DIRECTORY") == "(none)");
    CHECK(image.value("STRAY") == "(none)");
}

TEST_CASE("an env file no environment can hold ends the launch") {
    Launched image;
    SECTION("a NUL byte") {
        image.file("layers/acme_first/a/env/ODD", std::string{"a\0b", 3});
    }
    SECTION("larger than the kernel takes") {
        image.file("layers/acme_first/a/env/ODD", std::string(200 * 1024, 'x'));
    }
    const auto outcome = image.launch("web");
    CHECK(outcome.status == 82);
    CHECK_THAT(outcome.err, StartsWith("ERROR: ") && Contains("ODD"));
}

TEST_CASE("exec.d programs add variables one after another, seeing those before") {
    Launched image;
    const std::string layer = "layers/acme_first/a/";
    image.file(layer + "env/ORDER", "env");
    image.program(layer + "exec.d/1", "#!/bin/sh\nprintf 'ORDER = \"%s-1\"\\n' \"$ORDER\" >&3\n");
    image.program(layer + "exec.d/2",
                  "#!/bin/sh\nprintf 'ORDER = \"%s-2\"\\nQUOTED = \"a\\\\\"b\"' \"$ORDER\" >&3\n");
    image.program(layer + "exec.d/web/0",
                  "#!/bin/sh\nprintf 'ORDER = \"%s-web\"' \"$ORDER\" >&3\n");
    image.program(layer + "exec.d/worker/0",
                  "#!/bin/sh\nprintf 'ORDER = \"%s-worker\"' \"$ORDER\" >&3\n");
    image.program("layers/acme_first/b/exec.d/0",
                  "#!/bin/sh\nprintf 'ORDER = \"%s-b\"' \"$ORDER\" >&3\n");
    image.program("layers/acme_second/a/exec.d/0",
                  "#!/bin/sh\nprintf 'ORDER = \"%s-second\"' \"$ORDER\" >&3\n");
    CHECK(image.value("ORDER") == "env-1-2-web-b-second");
    CHECK(image.value("ORDER", "worker") == "env-1-2-worker-b-second");
    CHECK(image.value("QUOTED") == "a\"b");
}

TEST_CASE("an exec.d program runs in the application directory under its absolute path") {
    Launched image;
    const std::string path = "layers/acme_first/a/exec.d/show";
    image.program(path, "#!/bin/sh\necho \"$0 in $(pwd)\"\necho problem >&2\n");
    const auto outcome = image.launch("web");
    CHECK_THAT(outcome.out, StartsWith(image.path(path) + " in " + image.path("app") + "\n"));
    CHECK(outcome.err == "problem\n");
}

TEST_CASE("an exec.d program that fails or answers nonsense ends the launch") {
    Launched image;
    const std::string path = "layers/acme_first/a/exec.d/bad";
    const auto refuses = [&](const std::string& script, const std::string& why) {
        image.program(path, script);
        const auto outcome = image.launch("web");
        CHECK(outcome.status == 82);
        CHECK(outcome.out == "");
        CHECK_THAT(outcome.err,
                   StartsWith("ERROR: ") && Contains(image.path(path)) && Contains(why));
    };
    refuses("#!/bin/sh\nexit 3\n", "exit code 3");
    refuses("#!/bin/sh\nkill -9 $$\n", "signal 9");
    refuses("#!/bin/sh\necho 'not toml' >&3\n", "not TOML");
    refuses("#!/bin/sh\necho 'A = 5' >&3\n", "must be a string");
    refuses("#!/bin/sh\necho '[A]' >&3\n", "must be a string");
    refuses("#!/bin/sh\necho '\"A=B\" = \"x\"' >&3\n", "cannot be the name");
    refuses("#!/bin/sh\nhead -c 2000000 /dev/zero >&3\n", "more than");
}

TEST_CASE("an exec.d file that is no program ends the launch") {
    Launched image;
    image.file("layers/acme_first/a/exec.d/text", "#!/bin/sh\n");
    const auto outcome = image.launch("web");
    CHECK(outcome.status == 82);
    CHECK_THAT(outcome.err, Contains("Permission denied"));
}

TEST_CASE("profile scripts run in one shell, in order, the application's own last") {
    Launched image;
    image.file("layers/acme_first/a/env/NOTE", "env");
    image.file("layers/acme_first/a/profile.d/2.sh", "local_note=$NOTE-2\n");
    image.file("layers/acme_first/a/profile.d/10.sh", "export NOTE=$NOTE-10\n");
    image.file("layers/acme_first/a/profile.d/shell/0.sh", "export NOTE=$local_note-shell\n");
    image.file("layers/acme_first/a/profile.d/web/0.sh", "export NOTE=$NOTE-web\n");
    image.file("layers/acme_second/it's $odd/profile.d/0.sh", "export NOTE=$NOTE-second\n");
    image.file("app/.profile", "export NOTE=$NOTE-own\n");
    CHECK(image.launch("shell").out == "env-10-2-shell-second-own\n");
}

TEST_CASE("profile scripts may change the directory without moving the process") {
    Launched image;
    image.file("layers/acme_first/a/profile.d/0.sh", "cd /usr\nexport NOTE=$(pwd)\n");
    image.file("app/.profile", "NOTE=$NOTE:own\n");
    CHECK(image.launch("shell").out == "/usr:own\n");
    CHECK(image.launch("launcher", {"pwd"}).out == image.path("app") + "\n");
}

TEST_CASE("a direct process does not see profile scripts") {
    Launched image;
    image.file("layers/acme_first/a/profile.d/0.sh", "export NOTE=profile\n");
    image.file("app/.profile", "export NOTE=own\n");
    CHECK(image.value("NOTE") == "(none)");
}

TEST_CASE("a user's own command gets the layers but nothing meant for one process") {
    Launched image;
    image.file("layers/acme_first/a/env.launch/NOTE.append", "all");
    image.file("layers/acme_first/a/env.launch/web/NOTE.append", "web");
    CHECK(image.launch("launcher", {"--", "sh", "-c", "echo $NOTE"}).out == "all\n");
}
