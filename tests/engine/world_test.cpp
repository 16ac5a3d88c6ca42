#include "world.h"

#include "../../engine/src/cgroup.h"
#include "../../engine/src/ids.h"

#include <csignal>
#include <fstream>
#include <poll.h>
#include <sys/stat.h>
#include <sys/wait.h>

using namespace engine_test;
using Catch::Matchers::Contains;
using Catch::Matchers::StartsWith;

namespace {

std::string group_of(const engine::Hierarchy& hierarchy, const std::string& name) {
    return hierarchy.base / "slipway" / name;
}

bool any_cgroup_left(const std::string& name) {
    for (const auto& hierarchy : engine::find_hierarchies())
        if (fs::exists(group_of(hierarchy, name))) return true;
    return false;
}

// Any server that starts meanwhile may have swept the cgroups of a dead one.
std::string processes_left(const std::string& name) {
    std::string pids;
    for (const auto& hierarchy : engine::find_hierarchies())
        for (const char* part : {"worker", "sandbox"}) {
            std::ifstream file(fs::path(group_of(hierarchy, name)) / part / "cgroup.procs");
            for (std::string pid; std::getline(file, pid);) pids += pid + "\n";
        }
    return pids;
}

} // namespace

TEST_CASE("the inner's exit code is enter's answer, and no cgroup is left") {
    if (!can_run()) return;
    Place place;
    const auto spec = world_spec(place);
    CHECK(engine::enter(spec, [](const engine::World&) { return 37; }) == 37);
    CHECK(engine::enter(spec, [](const engine::World&) -> int { throw std::exception(); }) == 70);
    CHECK(engine::enter(spec, [](const engine::World&) { return ::kill(::getpid(), SIGKILL); }) ==
          128 + SIGKILL);
    CHECK_FALSE(any_cgroup_left(spec.name));
}

TEST_CASE("the inner is root of 65536 ids in namespaces of its own") {
    if (!can_run()) return;
    Place place;
    const auto text = in_world(world_spec(place), [](const engine::World&) {
        std::string answer = std::to_string(::getuid()) + " " + std::to_string(::getgid()) + " " +
                             std::to_string(::getgroups(0, nullptr)) + " " +
                             std::to_string(::getppid());
        for (const char* space : {"user", "mnt", "pid", "net"})
            answer += "\n" + fs::read_symlink("/proc/self/ns/" + std::string(space)).string();
        return answer + "\n" + base::read_file("/proc/self/uid_map");
    });
    CHECK_THAT(text, StartsWith("0 0 0 1\n"));
    CHECK_THAT(text, Contains("200000      65536"));
    for (const char* space : {"user", "mnt", "pid"})
        CHECK_THAT(text,
                   !Contains(fs::read_symlink("/proc/self/ns/" + std::string(space)).string()));
    CHECK_THAT(text, Contains(fs::read_symlink("/proc/self/ns/net").string()));
}

TEST_CASE("after enter() the caller is where it was and can start processes") {
    if (!can_run()) return;
    Place place;
    const auto before = base::read_file("/proc/self/cgroup");
    engine::enter(world_spec(place), [](const engine::World&) { return 0; });
    CHECK(base::read_file("/proc/self/cgroup") == before);
    CHECK(base::run({.argv = {"true"}}, {}).status.ok());
}

TEST_CASE("orphans of the worker are reaped, its own children are not") {
    if (!can_run()) return;
    Place place;
    const auto text = in_world(world_spec(place), [](const engine::World&) {
        // The grandchild says when it has become pid 1's, and ends.
        const auto done =
            base::run({.argv = {"/bin/busybox", "sh", "-c",
                                "(/bin/busybox setsid /bin/busybox true &) ; exit 9"}},
                      {});
        for (;;) { // until pid 1, this process and nobody else are in /proc
            int others = 0;
            for (const auto& entry : fs::directory_iterator("/proc"))
                others += std::isdigit(entry.path().filename().string()[0]) != 0;
            if (others == 2) return done.status.describe();
            ::sched_yield();
        }
    });
    CHECK(text == "exit code 9");
}

TEST_CASE("a repository that its owner alone may read can be read inside, and not written") {
    if (!can_run()) return;
    Place place;
    const base::TempDir state("slipway-state"); // mode 0700: only root passes
    const auto repository = state.path() / "repository";
    fs::create_directories(repository / "objects");
    base::write_file(repository / "objects" / "secret", "content", 0400);
    for (const auto& path : {repository / "objects/secret", repository / "objects", repository}) {
        REQUIRE(::chmod(path.c_str(), fs::is_directory(path) ? 0700 : 0400) == 0);
        REQUIRE(::chown(path.c_str(), 4242, 4243) == 0);
    }
    auto spec = world_spec(place);
    spec.read_only_binds = {{repository, place.path / "bound"}};
    const auto text = in_world(spec, [&](const engine::World&) {
        const auto file = place.path / "bound/objects/secret";
        struct stat info {};
        ::stat(file.c_str(), &info);
        auto answer = base::read_file(file) + " of " + std::to_string(info.st_uid);
        try {
            base::write_file(place.path / "bound/new", "x");
        } catch (const base::Error& error) {
            answer += ", " + error.message();
        }
        return answer;
    });
    CHECK_THAT(text, StartsWith("content of 0, ") && Contains("Read-only file system"));
    CHECK_FALSE(fs::exists(place.path / "bound/objects"));
}

TEST_CASE("directories are handed to the inner root once, without what is in them") {
    if (!can_run()) return;
    Place place;
    const base::TempDir parent("slipway-owned");
    base::write_file(parent.path() / "file", "x");
    auto spec = world_spec(place);
    spec.owned_directories.push_back(parent.path());
    CHECK(in_world(spec, [&](const engine::World&) {
              base::write_file(parent.path() / "new", "x");
              return std::string("written");
          }) == "written");
    struct stat info {};
    REQUIRE(::stat((parent.path() / "file").c_str(), &info) == 0);
    CHECK(info.st_uid == 0);
}

TEST_CASE("a directory that is missing is reported before anything was started") {
    if (!can_run()) return;
    Place place;
    auto spec = world_spec(place);
    spec.read_only_binds = {{"/no/such/repository", place.path / "bound"}};
    CHECK_THROWS_WITH(engine::enter(spec, [](const engine::World&) { return 0; }),
                      Contains("/no/such/repository"));
    CHECK_FALSE(any_cgroup_left(spec.name));
}

TEST_CASE("SIGTERM to the outer reaches the worker") {
    if (!can_run()) return;
    Place place;
    const auto spec = world_spec(place);
    auto ready = base::make_pipe();
    const pid_t outer = ::fork();
    if (outer == 0)
        ::_exit(engine::enter(spec, [&](const engine::World&) {
            ::signal(SIGTERM, [](int) { ::_exit(44); });
            base::write_all(ready.write.get(), "x");
            for (;;) ::pause();
            return 0;
        }));
    char byte = 0;
    REQUIRE(base::read_some(ready.read.get(), &byte, 1) == 1);
    ::kill(outer, SIGTERM);
    int status = 0;
    REQUIRE(::waitpid(outer, &status, 0) == outer);
    CHECK(WEXITSTATUS(status) == 44);
}

TEST_CASE("when the outer is killed, its whole world dies, and a sweep takes its cgroups") {
    const auto runtime = GENERATE(as<std::string>{}, "crun", "runc");
    if (!can_run(runtime)) return;
    Place place;
    const auto spec = world_spec(place);
    auto ready = base::make_pipe();
    const pid_t outer = ::fork();
    if (outer == 0) {
        engine::enter(spec, [&](const engine::World& world) {
            auto sandbox_spec = place.spec(world);
            sandbox_spec.runtime = runtime;
            sandbox_spec.network = engine::Network::internet;
            const auto sandbox = engine::Sandbox::start(sandbox_spec, {});
            sandbox->run(shell("trap '' TERM HUP; setsid sleep 1000 & echo up; sleep 1000"),
                         [&](std::string_view) { base::write_all(ready.write.get(), "x"); }, {});
            return 0;
        });
        ::_exit(0);
    }
    char byte = 0;
    REQUIRE(base::read_some(ready.read.get(), &byte, 1) == 1);
    engine::sweep_cgroups(); // a live worker's stay
    REQUIRE(any_cgroup_left(spec.name));
    ::kill(outer, SIGKILL);
    ::waitpid(outer, nullptr, 0);
    // The kernel tears a pid namespace down on its own time: wait for what must come.
    for (int i = 0; i < 1000 && !processes_left(spec.name).empty(); ++i) ::poll(nullptr, 0, 10);
    CHECK(processes_left(spec.name).empty());
    CHECK_THAT(base::read_file("/proc/self/mountinfo"), !Contains(place.path.string()));
    engine::sweep_cgroups();
    CHECK_FALSE(any_cgroup_left(spec.name));
}

TEST_CASE("a range of ids is found by the user's name or number, and must be long enough") {
    const std::string file =
        "ann:100000:65536\n# note\nbob:300000:1000\n1001:400000:65536\nbob:x:9\n";
    CHECK(engine::find_subordinate_ids(file, "ann", 1000, 65536) == 100000u);
    CHECK(engine::find_subordinate_ids(file, "bob", 1001, 65536) == 400000u);
    CHECK_FALSE(engine::find_subordinate_ids(file, "eve", 1002, 65536));
    CHECK_FALSE(engine::find_subordinate_ids("ann:100000:65535", "ann", 1, 65536));
    CHECK_FALSE(engine::find_subordinate_ids("ann:0:65536", "ann", 1, 65536));
}

TEST_CASE("doctor tries the real thing and finds what is wrong") {
    if (!can_run()) return;
    const auto init = fs::path(SLIPWAY_BIN_DIR) / "slipway-init";
    for (const auto& finding : engine::probe("crun", init, first_id)) {
        INFO(finding.what << ": " << finding.detail);
        CHECK(finding.ok);
    }
    bool container_failed = false;
    for (const auto& finding : engine::probe("no-such-runtime", init, first_id))
        container_failed = container_failed || (finding.what == "container" && !finding.ok);
    CHECK(container_failed);
}
