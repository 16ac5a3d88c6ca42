#include "../../engine/src/cgroup.h"

#include "base/error.h"
#include "base/fd.h"
#include "base/temp_dir.h"

#include <catch2/catch.hpp>

namespace fs = std::filesystem;

namespace {

// What a kernel would show, in an ordinary directory: files appear as they are written.
struct PretendedTree {
    base::TempDir directory{"slipway-cgroups"};
    fs::path root = directory.path();

    fs::path make(const std::string& path) const {
        fs::create_directories(root / path);
        return root / path;
    }
    std::string read(const std::string& path) const { return base::read_file(root / path); }
};

const std::string version_2_mount =
    "30 24 0:26 / /sys/fs/cgroup rw,nosuid - cgroup2 cgroup2 rw,nsdelegate\n";

} // namespace

TEST_CASE("version 2: limits are set below slipway/NAME after the controllers were handed down") {
    const PretendedTree tree;
    const auto top = tree.make("sys/fs/cgroup");
    base::write_file(top / "cgroup.controllers", "cpuset cpu io memory pids\n");
    const auto found =
        engine::find_hierarchies(version_2_mount, "0::/system.slice/s.service\n", true, tree.root);
    REQUIRE(found.size() == 1);
    CHECK(found[0].unified);
    CHECK(found[0].base == top);
    CHECK(found[0].own == top / "system.slice/s.service");
    CHECK(found[0].controllers == std::vector<std::string>{"cpu", "memory", "pids"});

    engine::Limits limits;
    limits.memory_bytes = 1000;
    limits.pids = 50;
    limits.cpus = 1.5;
    const auto cgroups = engine::Cgroups::create(found, "b1", limits, std::nullopt);
    const std::string group = "sys/fs/cgroup/slipway/b1/";
    CHECK(cgroups.sandbox() == std::vector<fs::path>{tree.root / (group + "sandbox")});
    CHECK(tree.read(group + "worker/cgroup.procs") == "0");
    CHECK(tree.read(group + "sandbox/memory.max") == "1000");
    CHECK(tree.read(group + "sandbox/memory.swap.max") == "0");
    CHECK(tree.read(group + "sandbox/pids.max") == "50");
    CHECK(tree.read(group + "sandbox/cpu.max") == "150000 100000");
    for (const char* level : {"", "slipway/", "slipway/b1/"}) // each write replaces the last
        CHECK(tree.read("sys/fs/cgroup/" + std::string(level) + "cgroup.subtree_control")
                  .starts_with("+pids"));
    CHECK_FALSE(fs::exists(tree.root / (group + "worker/cgroup.subtree_control")));
}

TEST_CASE("an ordinary user's cgroups are made in the one that it was given") {
    const PretendedTree tree;
    base::write_file(tree.make("sys/fs/cgroup") / "cgroup.controllers", "memory pids\n");
    const auto found =
        engine::find_hierarchies(version_2_mount, "0::/user.slice/app\n", false, tree.root);
    REQUIRE(found.size() == 1);
    CHECK(found[0].base == tree.root / "sys/fs/cgroup/user.slice/app");
}

TEST_CASE("a mount that shows a part of the tree only, as in a container, is read from there") {
    const PretendedTree tree;
    base::write_file(tree.make("sys/fs/cgroup") / "cgroup.controllers", "memory\n");
    const auto found =
        engine::find_hierarchies("30 24 0:26 /docker/x /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n",
                                 "0::/docker/x/y\n", true, tree.root);
    REQUIRE(found.size() == 1);
    CHECK(found[0].own == tree.root / "sys/fs/cgroup/y");
}

TEST_CASE("version 1: each controller's tree once, and the empty unified one left out") {
    const PretendedTree tree;
    for (const char* name : {"memory", "cpu,cpuacct", "systemd", "blkio"})
        tree.make(std::string("cg/") + name);
    base::write_file(tree.make("cg/unified") / "cgroup.controllers", "hugetlb\n");
    const auto found = engine::find_hierarchies(
        "34 31 0:32 / /cg/memory rw - cgroup cgroup rw,memory\n"
        "32 31 0:30 / /cg/cpu,cpuacct rw shared:9 - cgroup cgroup rw,cpu,cpuacct\n"
        "32 31 0:30 / /cg/cpu rw - cgroup cgroup rw,cpu,cpuacct\n"
        "40 31 0:37 / /cg/systemd rw - cgroup cgroup rw,xattr,name=systemd\n"
        "38 31 0:35 / /cg/blkio rw - cgroup cgroup rw,blkio\n"
        "41 31 0:38 / /cg/unified rw - cgroup2 cgroup2 rw\n",
        "4:memory:/a\n1:cpu,cpuacct:/\n0::/\n", true, tree.root);
    REQUIRE(found.size() == 2);
    CHECK(found[0].own == tree.root / "cg/memory/a");
    CHECK(found[1].controllers == std::vector<std::string>{"cpu", "cpuacct"});

    engine::Limits limits;
    limits.memory_bytes = 1000;
    limits.cpus = 0.5;
    const auto cgroups = engine::Cgroups::create(found, "b1", limits, std::nullopt);
    CHECK(tree.read("cg/memory/slipway/b1/sandbox/memory.limit_in_bytes") == "1000");
    CHECK(tree.read("cg/cpu,cpuacct/slipway/b1/sandbox/cpu.cfs_quota_us") == "50000");
    CHECK_FALSE(fs::exists(tree.root / "cg/unified/slipway"));
}

TEST_CASE("the kernel's refusals are counted in both versions") {
    const PretendedTree tree;
    const auto one = tree.make("one"), two = tree.make("two");
    base::write_file(one / "memory.oom_control", "oom_kill_disable 0\nunder_oom 0\noom_kill 3\n");
    base::write_file(two / "memory.events", "low 0\noom 9\noom_kill 4\noom_group_kill 0\n");
    base::write_file(two / "pids.events", "max 5\n");
    CHECK(engine::read_refusals({one}).killed_for_memory == 3);
    const auto refusals = engine::read_refusals({two, tree.root / "absent"});
    CHECK(refusals.killed_for_memory == 4);
    CHECK(refusals.processes_refused == 5);
}
