// slipway-init as an ordinary process: requests, frames, ends.
#include "init_session.h"

#include "launcher/init_protocol.h"

#include <catch2/catch.hpp>

#include <algorithm>
#include <csignal>
#include <fcntl.h>
#include <filesystem>
#include <fstream>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

namespace fs = std::filesystem;

namespace {

using Catch::Matchers::Contains;
using Catch::Matchers::EndsWith;

struct Directory {
    Directory() {
        path = (fs::temp_directory_path() / "init-XXXXXX").string();
        REQUIRE(::mkdtemp(path.data()) != nullptr);
        path = fs::canonical(path).string();
    }
    ~Directory() {
        std::error_code ignored;
        fs::remove_all(path, ignored);
    }
    std::string path;
};

void wait_until_half_full(int pipe) {
    const int capacity = ::fcntl(pipe, F_GETPIPE_SZ);
    REQUIRE(capacity > 0);
    for (int held = 0; held < capacity / 2;)
        if (::ioctl(pipe, FIONREAD, &held) != 0) FAIL("cannot look into the pipe");
}

} // namespace

TEST_CASE("a command's output, errors and exit code come back under its id") {
    InitSession init;
    const auto result =
        init.run({.id = 0xfedcba98, .arguments = shell("echo out; echo err >&2; exit 42")});
    CHECK(result.out == "out\n");
    CHECK(result.err == "err\n");
    CHECK(result.status == 42);
}

TEST_CASE("a command gets its directory, environment and arguments and nothing else") {
    Directory directory;
    InitSession init;
    CHECK(init.run({.arguments = {"/bin/pwd"}, .directory = directory.path}).out ==
          directory.path + "\n");
    CHECK(init.run({.arguments = {"/usr/bin/env"}, .environment = {"A=1", "B=x y\nz", "C="}}).out ==
          "A=1\nB=x y\nz\nC=\n");
    CHECK(init.run({.arguments = {"printf", "<%s>", "", "a b", "*"}}).out == "<><a b><*>");
    CHECK(init.run({.arguments = {"cat"}}).status == 0);
    CHECK(init.run({.arguments = shell("exec ls /proc/self/fd")}).out == "0\n1\n2\n3\n");
}

TEST_CASE("a command leads a session of its own") {
    InitSession init;
    CHECK(init.run({.arguments = shell("test $(ps -o sid= -p $$) = $$")}).status == 0);
}

TEST_CASE("a command killed by a signal ends with minus its number") {
    InitSession init;
    CHECK(init.run({.arguments = shell("kill -KILL $$")}).status == -SIGKILL);
    // init itself ignores SIGPIPE and blocks SIGCHLD; a command must not inherit that.
    CHECK(init.run({.arguments = shell("kill -PIPE $$; echo survived")}).status == -SIGPIPE);
    CHECK(init.run({.arguments = shell("grep -E 'Sig(Blk|Ign)' /proc/self/status")}).out ==
          "SigBlk:\t0000000000000000\nSigIgn:\t0000000000000000\n");
}

TEST_CASE("commands run at the same time") {
    Directory directory;
    REQUIRE(::mkfifo((directory.path + "/there").c_str(), 0600) == 0);
    REQUIRE(::mkfifo((directory.path + "/back").c_str(), 0600) == 0);
    InitSession init;
    init.send(
        {.id = 1, .arguments = shell("cat there; echo pong > back"), .directory = directory.path});
    init.send({.id = 2,
               .arguments = shell("echo ping > there; cat back; exit 2"),
               .directory = directory.path});
    const auto results = init.await(2);
    CHECK(results.at(1).out == "ping\n");
    CHECK(results.at(2).out == "pong\n");
    CHECK(results.at(1).status == 0);
    CHECK(results.at(2).status == 2);
}

TEST_CASE("more commands than may run at once wait for their turn") {
    InitSession init;
    const std::uint32_t count = 3 * launcher::command_limit;
    for (std::uint32_t id = 0; id < count; ++id)
        init.send({.id = id, .arguments = shell("echo $(( " + std::to_string(id) + " ))")});
    const auto results = init.await(count);
    REQUIRE(results.size() == count);
    for (const auto& [id, result] : results) {
        CHECK(result.out == std::to_string(id) + "\n");
        CHECK_FALSE(result.spoke_after_exit);
    }
}

TEST_CASE("a process left in the background that holds stdout does not hang the command") {
    InitSession init;
    const auto result = init.run({.arguments = shell("sleep 1000 & echo $!; exit 3")});
    CHECK(result.status == 3);
    CHECK(dies(std::stoi(result.out)));
}

TEST_CASE("a process left in the background without stdout is killed with its group") {
    InitSession init;
    const auto result =
        init.run({.arguments = shell("sleep 1000 > /dev/null 2>&1 & echo $!; exit 4")});
    CHECK(result.status == 4);
    CHECK(dies(std::stoi(result.out)));
}

TEST_CASE("what the background still writes shortly after the end arrives before the exit") {
    InitSession init;
    const auto result =
        init.run({.arguments = {"bash", "-c",
                                "exec > >(while read line; do echo got $line; done); echo a; "
                                "echo b"}});
    CHECK(result.out == "got a\ngot b\n");
    CHECK_FALSE(result.spoke_after_exit);
}

TEST_CASE("an endless writer in another session does not hang the command either") {
    InitSession init;
    const auto result = init.run({.arguments = shell("setsid yes 2>/dev/null & echo $! >&2")});
    CHECK(result.status == 0);
    CHECK_FALSE(result.spoke_after_exit);
    const pid_t writer = std::stoi(result.err);
    // Its reader is gone; the next write ends it.
    CHECK(dies(writer));
    CHECK(init.run({.id = 2, .arguments = {"true"}}).status == 0);
}

TEST_CASE("what cannot be executed says why") {
    Directory directory;
    const auto file = [&](const char* name, const char* content, fs::perms mode) {
        std::ofstream{directory.path + "/" + name} << content;
        fs::permissions(directory.path + "/" + name, mode);
    };
    file("text", "#!/bin/sh\n", fs::perms{0644});
    file("bare", "echo hi\n", fs::perms{0755});
    file("lost", "#!/no/such/interpreter\n", fs::perms{0755});
    InitSession init;
    const auto run = [&](const char* name, const std::string& where) {
        return init.run({.arguments = {name}, .directory = where});
    };
    auto result = run("./missing", directory.path);
    CHECK(result.status == launcher::status_not_found);
    CHECK_THAT(result.err, Contains("./missing: No such file"));
    result = run("no-such-command", directory.path);
    CHECK(result.status == launcher::status_not_found);
    CHECK_THAT(result.err, Contains("no-such-command"));
    result = run("./text", directory.path);
    CHECK(result.status == launcher::status_not_executable);
    CHECK_THAT(result.err, Contains("Permission denied"));
    result = run("./bare", directory.path);
    CHECK(result.status == launcher::status_not_executable);
    CHECK_THAT(result.err, Contains("Exec format error"));
    result = run("./lost", directory.path);
    CHECK(result.status == launcher::status_not_executable);
    CHECK_THAT(result.err, Contains("interpreter"));
    result = run("true", directory.path + "/nowhere");
    CHECK(result.status == launcher::status_not_executable);
    CHECK_THAT(result.err, Contains(directory.path + "/nowhere"));
}

TEST_CASE("a command that cannot even be started says why") {
    // 0, 1, 2, /dev/null and the signalfd leave three of eight descriptors; two pipes need four.
    InitSession init{{"prlimit", "--nofile=8:8"}};
    const auto result = init.run({.arguments = {"true"}});
    CHECK(result.status == launcher::status_not_executable);
    CHECK_THAT(result.err, Contains("cannot start a process: Too many open files"));
}

TEST_CASE("ten megabytes of output arrive whole and in order") {
    std::string expected;
    for (int i = 1; i <= 1'400'000; ++i) expected += std::to_string(i) + '\n';
    REQUIRE(expected.size() > 10'000'000);
    InitSession init;
    const auto result = init.run({.arguments = {"seq", "1400000"}});
    CHECK((result.out == expected));
    CHECK(result.status == 0);
}

TEST_CASE("an engine that does not read slows commands down instead of filling memory") {
    InitSession init;
    for (std::uint32_t id = 1; id <= 4; ++id)
        init.send({.id = id, .arguments = {"head", "-c", "20000000", "/dev/zero"}});
    // Nothing is read until init has filled its own pipe.
    wait_until_half_full(init.frame_fd());
    for (const auto& [id, result] : init.await(4)) CHECK(result.out.size() == 20'000'000);

    std::ifstream status{"/proc/" + std::to_string(init.pid()) + "/status"};
    long peak_kib = 0;
    for (std::string word; status >> word;)
        if (word == "VmHWM:") status >> peak_kib;
    CHECK(peak_kib > 0);
    CHECK(peak_kib < 8 * 1024);
}

TEST_CASE("output left in the pipe when a slow engine returns is not lost") {
    InitSession init;
    // More than init's buffer and both pipes hold together: the command ends only while the
    // engine reads, and what the killed background left behind must still come.
    init.send({.id = 1, .arguments = shell("seq 200000; sleep 1000 & echo last")});
    wait_until_half_full(init.frame_fd());
    const auto result = init.await(1).at(1);
    CHECK_THAT(result.out, EndsWith("\n200000\nlast\n"));
    CHECK(result.status == 0);
}

TEST_CASE("closing the requests ends every command and then init") {
    InitSession init;
    init.send({.id = 1,
               .arguments = shell("trap 'echo bye; exit 0' TERM; echo $$; "
                                  "while :; do sleep 1000 & wait; done")});
    const auto first = init.next_frame();
    REQUIRE(first);
    init.close_requests();
    const auto results = init.await(1);
    CHECK(results.at(1).out == "bye\n");
    CHECK(results.at(1).status == 0);
    CHECK(init.wait() == 0);
    CHECK(dies(std::stoi(first->payload)));
}

TEST_CASE("a command that ignores SIGTERM is killed at the end") {
    InitSession init;
    init.send({.id = 1, .arguments = shell("trap '' TERM; echo $$; while :; do sleep 1000; done")});
    REQUIRE(init.next_frame());
    init.close_requests();
    CHECK(init.await(1).at(1).status == -SIGKILL);
    CHECK(init.wait() == 0);
}

TEST_CASE("an engine that is gone ends init although more commands wait than may run") {
    InitSession init;
    for (std::uint32_t id = 0; id < 2 * launcher::command_limit; ++id)
        init.send({.id = id, .arguments = shell("echo up; sleep 1000")});
    for (size_t up = 0; up < launcher::command_limit; ++up) REQUIRE(init.next_frame());
    init.close_requests();
    init.close_frames();
    CHECK(init.wait() == 0);
}

TEST_CASE("an engine that closes only the frames ends init") {
    InitSession init;
    init.send({.id = 1, .arguments = shell("echo up; sleep 1000")});
    REQUIRE(init.next_frame());
    init.close_frames();
    CHECK(init.wait() == 0);
}

TEST_CASE("a request in pieces is put together") {
    InitSession init;
    const std::string bytes = InitSession::encode({.arguments = {"echo", "whole"}});
    for (const char byte : bytes) init.send_bytes(std::string{byte});
    CHECK(init.await(1).at(1).out == "whole\n");
}

TEST_CASE("a request as large as the limit is taken, one byte more is not") {
    Ask ask{.arguments = {"/bin/true"}, .environment = {}};
    const size_t overhead = InitSession::encode(ask).size() - launcher::request_length_size;
    // Many strings, since the kernel takes no single one of this size; three digits of count.
    size_t left = launcher::request_limit - overhead - 2;
    for (size_t i = 0; i < 100; ++i) {
        const size_t size = i < 99 ? left / (100 - i) : left;
        ask.environment.push_back("V=" + std::string(size - 3, 'x'));
        left -= size;
    }
    REQUIRE(InitSession::encode(ask).size() ==
            launcher::request_limit + launcher::request_length_size);
    InitSession init;
    CHECK(init.run(ask).status == 0);
    ask.environment.back() += "y";
    // The length alone decides; init may be gone before the rest could be written.
    init.send_bytes(InitSession::encode(ask).substr(0, launcher::request_length_size));
    CHECK(init.wait() == 2);
}

TEST_CASE("a request that breaks the protocol ends init") {
    const auto sends = [](const std::string& bytes) {
        InitSession init;
        init.send_bytes(bytes);
        return init.wait();
    };
    const auto payload = [](std::string text) {
        std::string bytes{static_cast<char>(text.size())};
        return bytes + std::string(3, '\0') + text;
    };
    const std::string head{"\x01\0\0\0\0", 5};
    using namespace std::string_literals;
    CHECK(sends("\xff\xff\xff\xff"s) == 2);
    CHECK(sends(payload("")) == 2);
    CHECK(sends(payload(head)) == 2);
    CHECK(sends(payload(head + "/\0"
                               "0\0"
                               "0\0"s)) == 2);
    CHECK(sends(payload(head + "/\0"
                               "0\0"
                               "1\0true"s)) == 2);
    CHECK(sends(payload(head + "/\0"
                               "0\0"
                               "2\0true\0"s)) == 2);
    CHECK(sends(payload(head + "/\0"
                               "9999999999\0"
                               "1\0true\0"s)) == 2);
    CHECK(sends(payload(head + "/\0"
                               "-1\0"
                               "1\0true\0"s)) == 2);
    CHECK(sends(payload(head + "/\0"
                               "0\0"
                               "1\0true\0more"s)) == 2);
    CHECK(sends(payload("\x01\0\0\0\x80/\0"
                        "0\0"
                        "1\0true\0"s)) == 2);

    InitSession init;
    init.send({.id = 5, .arguments = {"sleep", "1000"}});
    init.send({.id = 5, .arguments = {"true"}});
    CHECK(init.wait() == 2);
}
