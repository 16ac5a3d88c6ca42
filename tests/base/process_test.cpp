#include "base/process.h"

#include "base/error.h"

#include <catch2/catch.hpp>

#include <csignal>
#include <dirent.h>
#include <fcntl.h>
#include <filesystem>
#include <poll.h>
#include <sys/wait.h>

using namespace base;

namespace {

std::size_t open_descriptors() {
    std::size_t count = 0;
    for ([[maybe_unused]] const auto& entry : std::filesystem::directory_iterator("/proc/self/fd"))
        ++count;
    return count;
}

} // namespace

TEST_CASE("a program's output, error output and exit code come back apart") {
    const auto result = run({.argv = {"sh", "-c", "echo out; echo err >&2; exit 3"}}, {});
    CHECK(result.output == "out\n");
    CHECK(result.error == "err\n");
    CHECK(result.status.code == 3);
    CHECK(result.status.describe() == "exit code 3");
}

TEST_CASE("arguments arrive as they are, also those that are empty") {
    const auto said = base::run({.argv = {"/usr/bin/printf", "<%s>", "", "a b", "'\"\\", ""}}, {});
    CHECK(said.output == "<><a b><'\"\\><>");
}

TEST_CASE("a program that cannot be executed leaves no process, descriptor or output behind") {
    const auto before = open_descriptors();
    CHECK_THROWS_AS(run({.argv = {"/nonexistent/program"}}, {}), Error);
    CHECK_THROWS_AS(run({.argv = {"no-such-program-anywhere"}}, {}), Error);
    CHECK(open_descriptors() == before);
    CHECK(::waitpid(-1, nullptr, WNOHANG) == -1); // no child, not even a zombie
}

TEST_CASE("a child sees the environment that was given and nothing of ours") {
    ::setenv("SLIPWAY_TEST_LEAK", "1", 1);
    const auto result = run({.argv = {"/usr/bin/env"}, .environment = {"A=b=c"}}, {});
    CHECK(result.output == "A=b=c\n");
}

TEST_CASE("a child has standard descriptors only, and those that were named") {
    const Pipe pipe = make_pipe();
    const UniqueFd leak(::fcntl(pipe.read.get(), F_DUPFD, 50)); // inheritable by mistake
    const auto result = run({.argv = {"ls", "/proc/self/fd"}, .environment = {}}, {});
    CHECK(result.output == "0\n1\n2\n3\n"); // 3 is ls's own, of reading the directory
}

TEST_CASE("a child has no handler and no mask of ours, and ignores what we ignore") {
    const auto caught = std::signal(SIGUSR1, [](int) {});
    const auto ignored = std::signal(SIGUSR2, SIG_IGN);
    sigset_t held, before, after;
    sigemptyset(&held);
    sigaddset(&held, SIGTERM);
    ::pthread_sigmask(SIG_BLOCK, &held, &before);
    const auto status = run({.argv = {"cat", "/proc/self/status"}}, {});
    const auto lives = run({.argv = {"sh", "-c", "kill -USR2 $$; echo so; kill -USR1 $$"}}, {});
    ::pthread_sigmask(SIG_SETMASK, &before, &after);
    std::signal(SIGUSR1, caught);
    std::signal(SIGUSR2, ignored);
    CHECK_THAT(status.output, Catch::Contains("SigBlk:\t0000000000000000\n"));
    CHECK_THAT(status.output, Catch::Contains("SigCgt:\t0000000000000000\n"));
    CHECK(lives.output == "so\n");
    CHECK(lives.status.signal == SIGUSR1);
    CHECK(sigismember(&after, SIGTERM) == 1); // ours is as it was
    CHECK(sigismember(&after, SIGINT) == 0);
}

TEST_CASE("input is fed while output is read, so that neither side waits for ever") {
    const std::string big(3 << 20, 'x');
    const auto result = run({.argv = {"cat"}}, {}, big, big.size() * 2);
    CHECK(result.output.size() == big.size());
}

TEST_CASE("output past the limit is dropped, and the program still ends") {
    const auto result = run({.argv = {"head", "-c", "100000", "/dev/zero"}}, {}, {}, 1000);
    CHECK(result.status.ok());
    CHECK(result.output.size() == 1000);
}

TEST_CASE("a deadline kills the child and everything in its group") {
    StopSource source;
    const Command command{.argv = {"sh", "-c", "trap '' TERM; sleep 1000 & wait"}};
    try {
        run(command, source.stop().within(std::chrono::milliseconds(100)));
        FAIL("it came back");
    } catch (const Error& error) {
        CHECK(error.kind() == ErrorKind::timed_out);
    }
    CHECK(::waitpid(-1, nullptr, WNOHANG) == -1);
}

TEST_CASE("terminate escalates to SIGKILL when SIGTERM is ignored") {
    const Pipe ready = make_pipe();
    auto process = Process::start({.argv = {"sh", "-c", "trap '' TERM; echo; while :; do :; done"},
                                   .environment = {},
                                   .working_directory = "/",
                                   .descriptors = {{1, ready.write.get()}}});
    char byte;
    REQUIRE(read_some(ready.read.get(), &byte, 1) == 1);
    const auto status = process.terminate(std::chrono::milliseconds(50));
    CHECK(status.signal == SIGKILL);
    CHECK(status.describe() == "signal 9 (Killed)");
}

TEST_CASE("descriptors are placed under the wanted numbers, also when they cross") {
    const Pipe first = make_pipe(), second = make_pipe();
    auto process =
        Process::start({.argv = {"sh", "-c", "echo three >&3; echo four >&4"},
                        .environment = {},
                        .working_directory = "/",
                        .descriptors = {{3, second.write.get()}, {4, first.write.get()}}});
    REQUIRE(process.wait()->ok());
    char buffer[16];
    CHECK(std::string(buffer, read_some(second.read.get(), buffer, 16)) == "three\n");
    CHECK(std::string(buffer, read_some(first.read.get(), buffer, 16)) == "four\n");
}
