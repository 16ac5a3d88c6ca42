// slipway-init as process 1 of a pid namespace of its own.
#include "init_session.h"

#include "launcher/init_protocol.h"

#include <catch2/catch.hpp>

#include <filesystem>
#include <unistd.h>

namespace fs = std::filesystem;

namespace {

// The processes of the sandbox but for init and the one that asks.
constexpr const char* count_others =
    "n=0; for p in /proc/[0-9]*; do case ${p#/proc/} in 1|$$) ;; *) n=$((n+1));; esac; done; "
    "echo $n";

bool skipped(const std::vector<std::string>& wrapper) {
    if (!wrapper.empty()) return false;
    WARN("skipped: this machine gives no pid namespaces");
    return true;
}

} // namespace

TEST_CASE("a process in another session outlives its command unless the others are killed") {
    const auto wrapper = pid_namespace();
    if (skipped(wrapper)) return;
    InitSession init{wrapper};
    const std::string leave = "setsid sh -c 'sleep 1000; true' >/dev/null 2>&1 & "
                              "while ! pgrep -x sleep > /dev/null; do :; done";
    CHECK(init.run({.arguments = shell(leave)}).status == 0);
    CHECK(init.run({.arguments = shell(count_others)}).out == "2\n");
    const auto result =
        init.run({.arguments = shell(leave + "; exit 9"), .flags = launcher::flag_kill_others});
    CHECK(result.status == 9);
    CHECK(init.run({.arguments = shell(count_others)}).out == "0\n");
}

TEST_CASE("killing the others ends commands that still run, with their output") {
    const auto wrapper = pid_namespace();
    if (skipped(wrapper)) return;
    InitSession init{wrapper};
    init.send({.id = 1, .arguments = shell("echo up; exec sleep 1000")});
    const auto up = init.next_frame();
    REQUIRE(up);
    CHECK(up->payload == "up\n");
    init.send({.id = 2, .arguments = {"true"}, .flags = launcher::flag_kill_others});
    const auto results = init.await(2);
    CHECK(results.at(1).status == -9);
    CHECK(results.at(2).status == 0);
}

TEST_CASE("orphans are reaped") {
    const auto wrapper = pid_namespace();
    if (skipped(wrapper)) return;
    InitSession init{wrapper};
    // A hundred grandchildren whose parents are gone before they end.
    const std::string orphans =
        "for i in $(seq 100); do (setsid sleep 1000 >/dev/null 2>&1 &); done";
    CHECK(init.run({.arguments = shell(orphans), .flags = launcher::flag_kill_others}).status == 0);
    CHECK(init.run({.arguments = shell(count_others)}).out == "0\n");
    // And those that end on their own: nobody else could turn the zombies into nothing.
    CHECK(init.run({.arguments = shell("setsid true &")}).status == 0);
    std::string others;
    for (int i = 0; i < 1000 && others != "0\n"; ++i)
        others = init.run({.arguments = shell(count_others)}).out;
    CHECK(others == "0\n");
}

TEST_CASE("a fork bomb ends with its command") {
    const auto wrapper = pid_namespace();
    if (skipped(wrapper)) return;
    InitSession init{wrapper};
    // It keeps forking while it is being killed, but never more than a few hundred at once.
    const std::string bomb = "b() { [ $1 = 0 ] || { b $(($1-1)) & b $(($1-1)) & wait; b $1; }; }; "
                             "b 6 & while [ $(ls -d /proc/[0-9]* | wc -l) -lt 40 ]; do :; done";
    CHECK(init.run({.arguments = shell(bomb), .flags = launcher::flag_kill_others}).status == 0);
    CHECK(init.run({.arguments = shell(count_others)}).out == "0\n");
}

TEST_CASE("no command can end init by a signal") {
    const auto wrapper = pid_namespace();
    if (skipped(wrapper)) return;
    InitSession init{wrapper};
    init.run({.arguments = shell("for s in TERM KILL INT HUP CHLD PIPE USR1 STOP; do "
                                 "kill -$s 1; done; kill -TERM -1; true")});
    CHECK(init.run({.id = 2, .arguments = {"echo", "alive"}}).out == "alive\n");
}

TEST_CASE("closing the requests ends the sandbox, daemons included") {
    const auto wrapper = pid_namespace();
    if (skipped(wrapper)) return;
    InitSession init{wrapper};
    CHECK(init.run({.arguments = shell("setsid sleep 1000 >/dev/null 2>&1 &")}).status == 0);
    init.close_requests();
    CHECK(init.wait() == 0);
}

TEST_CASE("a command of the same user cannot look into init") {
    auto wrapper = pid_namespace();
    if (skipped(wrapper)) return;
    if (::geteuid() != 0) {
        WARN("skipped: only root can give init another user");
        return;
    }
    std::string directory = (fs::temp_directory_path() / "init-XXXXXX").string();
    REQUIRE(::mkdtemp(directory.data()) != nullptr);
    fs::permissions(directory, fs::perms{0755});
    const std::string program = directory + "/init";
    fs::copy_file(SLIPWAY_BIN_DIR "/slipway-init", program);
    wrapper.insert(wrapper.end(), {"setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"});
    {
        InitSession init{wrapper, program};
        CHECK(init.run({.arguments = shell("id -u; ls /proc/$$/fd > /dev/null")}).out == "65534\n");
        for (const char* path : {"/proc/1/fd", "/proc/1/environ", "/proc/1/mem"}) {
            const auto result =
                init.run({.arguments = shell(std::string{"p="} + path +
                                             "; if [ -d $p ]; then ls $p; else head -c 1 $p; fi")});
            INFO(path);
            CHECK(result.status != 0);
            CHECK_THAT(result.err, Catch::Matchers::Contains("Permission denied"));
        }
    }
    fs::remove_all(directory);
}
