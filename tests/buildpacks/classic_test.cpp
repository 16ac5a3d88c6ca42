#include "buildpacks/catalog.h"

#include "base/error.h"
#include "base/fd.h"
#include "base/process.h"
#include "base/temp_dir.h"

#include <catch2/catch.hpp>

#include <algorithm>

using namespace buildpacks;
namespace fs = std::filesystem;

namespace {

// A sandbox's directories on this machine, without a sandbox: the scripts run as they are, with the
// buildpack's copy in place of its mount.
struct World {
    base::TempDir directory{"slipway-test"};
    Places inside{.app = at("app"),
                  .layers = at("layers"),
                  .platform = at("platform"),
                  .scratch = at("slots"),
                  .classic_home = at("home")};

    World() {
        for (const char* name : {"app", "layers", "platform/env", "slots/0", "home"})
            fs::create_directories(at(name));
    }
    std::string at(const std::string& name) const { return (directory.path() / name).string(); }
    std::string read(const std::string& name) const { return base::read_file(at(name)); }
    void file(const std::string& name, const std::string& bytes) const {
        fs::create_directories(fs::path(at(name)).parent_path());
        base::write_file(at(name), bytes);
    }

    // `bytes` of bin/compile; detect says yes.
    std::shared_ptr<const Buildpack> pack(const std::string& compile) const {
        file("pack/bin/detect", "#!/bin/bash\necho Test\n");
        file("pack/bin/compile", "#!/bin/bash\n" + compile);
        return load_classic(at("pack"), "test/pack", "1", "");
    }
    base::Captured run(const Buildpack& pack, engine::Invocation invocation) const {
        std::replace(invocation.argv.begin(), invocation.argv.end(), pack.mount_point(),
                     at("pack"));
        return base::run({.argv = invocation.argv,
                          .environment = invocation.environment,
                          .working_directory = invocation.working_directory},
                         {});
    }
    Environment environment(const Buildpack& pack, const Environment& classic = {}) const {
        return pack.environment({{{"PATH", std::getenv("PATH")}, {"CNB_STACK_ID", "x"}},
                                 {{"SECRET", "of the user"}},
                                 classic});
    }
    base::Captured build(const Buildpack& pack, const Environment& classic = {}) const {
        return run(
            pack, pack.build(inside, {}, at("slots/0"), at("slots/0"), environment(pack, classic)));
    }
    base::Captured detect(const Buildpack& pack) const {
        return run(pack, pack.detect(inside, at("slots/0"), environment(pack)));
    }
    HostPlaces places() const { return {at("app"), at("layers"), at("slots/0")}; }
};

std::vector<std::string> paths(const Built& built) {
    std::vector<std::string> all;
    for (const auto& slice : built.slices)
        all.insert(all.end(), slice.paths.begin(), slice.paths.end());
    return all;
}

} // namespace

TEST_CASE("a folder with bin/compile is classic, also beside a buildpack.toml without an API") {
    World world;
    world.pack("");
    CHECK(kind_of(world.at("pack")) == Kind::classic);
    world.file("pack/buildpack.toml", "[buildpack]\nname = \"Ruby\"\n");
    CHECK(kind_of(world.at("pack")) == Kind::classic);
    fs::remove(world.at("pack/bin/compile"));
    CHECK(kind_of(world.at("pack")) == Kind::neither);
    CHECK_THROWS_WITH(load_classic(world.at("pack"), "a", "1", ""), Catch::Contains("bin/compile"));
}

TEST_CASE("classic and Cloud Native buildpacks stand in one directory and one order") {
    World world;
    world.pack("");
    world.file("cnb/buildpack.toml",
               "api = \"0.12\"\n[buildpack]\nid = \"test/cnb\"\nversion = \"1\"\n");
    world.file("order.toml", "[[order]]\n[[order.group]]\nid = \"pack\"\n"
                             "[[order.group]]\nid = \"test/cnb\"\n");
    const auto catalog = Catalog::load({world.directory.path()});
    CHECK(catalog.find({"pack", "", false}).app_directory() == AppDirectory::app);
    CHECK(catalog.find({"test/cnb", "", false}).app_directory() == AppDirectory::workspace);
}

TEST_CASE("names that could leave their directory are refused") {
    World world;
    world.pack("");
    for (const char* name : {"", "../up", "/root", "a b", ".hidden", "a\n"}) {
        CHECK_THROWS_AS(load_classic(world.at("pack"), name, "1", ""), base::Error);
        CHECK_THROWS_AS(load_classic(world.at("pack"), "a", name, ""), base::Error);
    }
}

TEST_CASE(
    "what bin/detect prints is a name, what it complains is shown, and any code but 0 is no") {
    World world;
    const auto pack = world.pack("");
    auto ran = world.detect(*pack);
    auto detection = pack->read_detection(ran.status, ran.error, world.at("slots/0"));
    CHECK(detection.verdict == Verdict::pass);
    CHECK(detection.name == "Test");
    CHECK(detection.sections.size() == 1);

    world.file("pack/bin/detect", "#!/bin/bash\necho \"no $1/Gemfile\" >&2\nexit 1\n");
    ran = world.detect(*pack);
    detection = pack->read_detection(ran.status, ran.error, world.at("slots/0"));
    CHECK(detection.verdict == Verdict::fail);
    CHECK(detection.output == "no " + world.at("app") + "/Gemfile\n");
    CHECK(pack->read_detection({.code = 127}, "", world.at("slots/0")).verdict == Verdict::error);
    CHECK(pack->read_detection({.signal = 9}, "", world.at("slots/0")).verdict == Verdict::error);
}

TEST_CASE("bin/compile gets three directories, stands in the first and has nothing to read") {
    World world;
    const auto pack =
        world.pack("echo \"$# $PWD|$1|$2|$3|$HOME|$APP_DIR|$(cat)\"\n[ -d \"$2\" ]\n");
    const auto ran = world.build(*pack);
    REQUIRE(ran.status.ok());
    const auto app = world.at("app"), home = world.at("home");
    CHECK(ran.output == "3 " + app + "|" + app + "|" + world.at("layers/test_pack/cache") + "|" +
                            world.at("platform/env") + "|" + home + "|" + home + "|\n");
}

TEST_CASE(
    "the user's variables are files unless they were asked for, and nothing is Cloud Native") {
    World world;
    const auto pack = world.pack("env\n");
    auto ran = world.build(*pack, {{"STACK", "heroku-24"}});
    CHECK_THAT(ran.output, Catch::Contains("STACK=heroku-24\n"));
    CHECK_THAT(ran.output, !Catch::Contains("SECRET="));
    CHECK_THAT(ran.output, !Catch::Contains("CNB_"));
}

TEST_CASE("the cache is a layer of its own, and .profile.d gets one for the launcher") {
    World world;
    const auto pack = world.pack("echo data >\"$2/file\"\n");
    REQUIRE(world.build(*pack).status.ok());
    const auto built = pack->read_build(world.places());
    REQUIRE(built.layers.size() == 2);
    CHECK(built.layers[0].name == "cache");
    CHECK((built.layers[0].types.cache && !built.layers[0].types.launch));
    CHECK((built.layers[1].types.launch && !built.layers[1].types.cache));
    CHECK(world.read("layers/test_pack/cache/file") == "data\n");
    CHECK(world.read("layers/test_pack/profile/env.launch/HOME.override") == world.at("home"));
    CHECK(fs::exists(world.at("layers/test_pack/" + built.direct_process_program)));
}

TEST_CASE("what export changes is handed on, quotes and newlines included, and nothing else") {
    World world;
    const auto pack = world.pack("cat >\"${0%/bin/*}/export\" <<'END'\n"
                                 "export PATH=\"/opt/bin:$PATH\" LINES_=$'a\\nb' QUOTE=\"it's\"\n"
                                 "local_only=1\ncd /\nfalse\nEND\n");
    REQUIRE(world.build(*pack).status.ok());
    CHECK(pack->read_build(world.places()).exported ==
          Environment{{"PATH", std::string("/opt/bin:") + std::getenv("PATH")},
                      {"LINES_", "a\nb"},
                      {"QUOTE", "it's"}});
}

TEST_CASE("an export file that ends the shell fails the build") {
    World world;
    const auto pack = world.pack("echo 'exit 0' >\"${0%/bin/*}/export\"\n");
    const auto ran = world.build(*pack);
    CHECK_FALSE(ran.status.ok());
    CHECK_THAT(ran.error, Catch::Contains("export"));
}

TEST_CASE("bin/report runs after a failure too, unseen, and its own failure is nobody's") {
    World world;
    const auto pack = world.pack("exit 7\n");
    world.file("pack/export", "export FROM_EXPORT=1\n");
    world.file("pack/bin/report", "#!/bin/bash\necho noise >&2\n"
                                  "echo \"{\\\"exported\\\": \\\"${FROM_EXPORT-no}\\\"}\"\n");
    auto ran = world.build(*pack);
    CHECK(ran.status.code == 7);
    CHECK(ran.output + ran.error == "");
    CHECK(pack->read_report(world.places()) == R"({"exported":"no"})");

    world.file("pack/bin/compile", "#!/bin/bash\nexit 0\n");
    world.file("pack/bin/report", "#!/bin/bash\necho '{}'; exit 1\n");
    ran = world.build(*pack);
    CHECK(ran.status.ok());
    CHECK_FALSE(pack->read_report(world.places()).has_value());
}

TEST_CASE("a bin/release that fails fails the build with a word") {
    World world;
    const auto pack = world.pack("");
    world.file("pack/bin/release", "#!/bin/bash\nexit 4\n");
    const auto ran = world.build(*pack);
    CHECK(ran.status.code == 4);
    CHECK_THAT(ran.error, Catch::Contains("bin/release"));
}

TEST_CASE("folders that the build added become slices, those of the source stay in the app") {
    World world;
    world.file("app/src/own", "");
    world.file("app/vendor/own/file", "");
    world.file("app/.profile.d/own.sh", "");
    const auto pack = world.pack("mkdir -p .heroku/node .heroku/yarn node_modules/x vendor/bundle "
                                 "src/more '*' .profile.d/x\ntouch a-file\nln -s / link\n");
    REQUIRE(world.build(*pack).status.ok());
    CHECK(
        paths(pack->read_build(world.places())) ==
        std::vector<std::string>{".heroku/node", ".heroku/yarn", "node_modules", "vendor/bundle"});
}

TEST_CASE("links in place of the files that are read after a build lead nowhere") {
    World world;
    const auto pack =
        world.pack("for f in before environment exported report release.yml name; do\n"
                   "rm -f " +
                   world.at("slots/0") + "/$f; ln -s /etc/passwd " + world.at("slots/0") +
                   "/$f; done\n"
                   "rm -rf \"${2%/cache}/profile\"; ln -s /tmp \"${2%/cache}/profile\"\n");
    REQUIRE(world.build(*pack).status.ok());
    const auto built = pack->read_build(world.places());
    CHECK(built.exported.empty());
    CHECK(built.processes.empty());
    CHECK_FALSE(pack->read_report(world.places()).has_value());
    CHECK(fs::is_directory(fs::symlink_status(world.at("layers/test_pack/profile"))));
}

// ---------------------------------------------------------------- at the start of the app

namespace {

struct Started {
    World world;
    std::string program;
    Started() {
        const auto pack = world.pack("");
        REQUIRE(world.build(*pack).status.ok());
        program =
            world.at("layers/test_pack/" + pack->read_build(world.places()).direct_process_program);
    }
    std::string direct() const {
        const auto ran = base::run({.argv = {"/bin/bash", "-c", "\"$0\" 3>&1 >/dev/null", program},
                                    .environment = environment()},
                                   {});
        CHECK(ran.status.ok());
        return ran.output;
    }
    std::string shell(const std::string& script) const {
        const auto profile = world.at("layers/test_pack/profile/profile.d/app-profile.sh");
        const auto ran = base::run(
            {.argv = {"/bin/bash", "-c", "source \"$0\"; source \"$0\"; " + script, profile},
             .environment = environment()},
            {});
        CHECK(ran.status.ok());
        return ran.output;
    }
    std::vector<std::string> environment() const {
        return {"HOME=" + world.at("home"), std::string("PATH=") + std::getenv("PATH"), "OLD=1"};
    }
};

} // namespace

TEST_CASE("a shell process sources .profile.d in the order of names, once") {
    Started started;
    started.world.file("home/.profile.d/b.sh", "export SEEN=$SEEN-b\n");
    started.world.file("home/.profile.d/a.sh", "export SEEN=$SEEN-a\n");
    started.world.file("home/.profile.d/c.txt", "export SEEN=$SEEN-c\n");
    CHECK(started.shell("printenv SEEN") == "-a-b\n");
}

TEST_CASE("a shell process without .profile.d starts") {
    CHECK(Started().shell("echo fine") == "fine\n");
}

TEST_CASE("a direct process gets what .profile.d and .profile change, as TOML") {
    Started started;
    started.world.file("home/.profile.d/a.sh", "echo noise\nexport NEW='say \"hi\" \\ there'\n"
                                               "export LINES_=$'a\\nb\\tc' OLD=2 UMLAUT=ü\n");
    started.world.file("home/.profile", "export LAST=$NEW\n");
    const auto answer = started.direct();
    CHECK_THAT(answer, Catch::Contains("\"NEW\" = \"say \\\"hi\\\" \\\\ there\"\n"));
    CHECK_THAT(answer, Catch::Contains("\"LINES_\" = \"a\\u000Ab\\u0009c\"\n"));
    CHECK_THAT(answer, Catch::Contains("\"OLD\" = \"2\"\n"));
    CHECK_THAT(answer, Catch::Contains("\"UMLAUT\" = \"ü\"\n"));
    CHECK_THAT(answer, Catch::Contains("\"LAST\" = "));
    CHECK_THAT(answer, !Catch::Contains("PATH") && !Catch::Contains("noise"));
}
