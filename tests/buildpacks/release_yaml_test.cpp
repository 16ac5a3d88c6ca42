#include "buildpacks/catalog.h"

#include "base/error.h"
#include "base/fd.h"
#include "base/temp_dir.h"

#include <catch2/catch.hpp>

using namespace buildpacks;
namespace fs = std::filesystem;

namespace {

// What a classic build becomes when bin/release printed this.
struct Left {
    base::TempDir directory{"slipway-test"};
    Left() {
        fs::create_directories(directory.path() / "pack/bin");
        base::write_file(directory.path() / "pack/bin/compile", "");
        fs::create_directories(directory.path() / "app");
        fs::create_directories(directory.path() / "slot");
    }
    Left& file(const std::string& name, const std::string& bytes) {
        base::write_file(directory.path() / name, bytes);
        return *this;
    }
    HostPlaces places() const {
        return {directory.path() / "app", directory.path() / "layers", directory.path() / "slot"};
    }
    std::shared_ptr<const Buildpack> pack() const {
        return load_classic(directory.path() / "pack", "test/ruby", "1", "");
    }
    Built read() const { return pack()->read_build(places()); }
};

Built release(const std::string& yaml) {
    return Left().file("slot/release.yml", yaml).read();
}

std::string wrong(const std::string& yaml) {
    try {
        release(yaml);
    } catch (const base::Error& error) {
        CHECK(error.kind() == base::ErrorKind::buildpack_failed);
        return error.message();
    }
    return "nothing is wrong";
}

using Catch::Contains;

} // namespace

TEST_CASE("default process types are shell processes, and web is the default one") {
    const auto built = release("---\naddons: []\ndefault_process_types:\n"
                               "  web: bundle exec rackup -p $PORT\n  worker: \"rake: jobs\"\n");
    REQUIRE(built.processes.size() == 2);
    CHECK(built.processes[0].type == "web");
    CHECK(built.processes[0].command == std::vector<std::string>{"bundle exec rackup -p $PORT"});
    CHECK(built.processes[0].is_default);
    CHECK_FALSE(built.processes[0].direct);
    CHECK(built.processes[1].command == std::vector<std::string>{"rake: jobs"});
    CHECK_FALSE(built.processes[1].is_default);
}

TEST_CASE("config_vars stay text, whatever they look like") {
    const auto built = release("config_vars:\n A: yes\n B: 007\n C: 'x: y'\n D: ~\n E: |\n"
                               "  two\n  lines\n F: '~'\n");
    CHECK(built.config_vars == Environment{{"A", "yes"},
                                           {"B", "007"},
                                           {"C", "x: y"},
                                           {"D", ""},
                                           {"E", "two\nlines\n"},
                                           {"F", "~"}});
}

TEST_CASE("an empty release is a release: it takes back what an earlier one said") {
    for (const char* yaml : {"", "--- {}", "---\n", "# nothing\n", "default_process_types: {}\n",
                             "default_process_types:\naddons:\n", "default_process_types: []"}) {
        INFO(yaml);
        const auto built = release(yaml);
        CHECK(built.processes.empty());
        CHECK_FALSE(built.process_set.empty());
    }
}

TEST_CASE("without bin/release an earlier one keeps speaking") {
    CHECK(Left().read().process_set.empty());
}

TEST_CASE("what cannot be read is told with the buildpack and the line") {
    CHECK_THAT(wrong("default_process_types:\n  web: [unclosed\n"),
               Contains("test/ruby") && Contains("line "));
    CHECK_THAT(wrong("a: b: c\n"), Contains("line 1"));
    CHECK_THAT(wrong("just words"), Contains("not a map"));
    CHECK_THAT(wrong("- a\n- b\n"), Contains("not a map"));
    CHECK_THAT(wrong("default_process_types: {web: [a, b]}"), Contains("\"web\" must be a text"));
    CHECK_THAT(wrong("default_process_types: {web: }"), Contains("web has no command"));
    CHECK_THAT(wrong("default_process_types: {'../up': x}"), Contains("process type"));
    for (const auto& type : {std::string("."), std::string(".."), std::string(300, 'x')})
        CHECK_THAT(wrong("default_process_types: {" + type + ": x}"), Contains("process type"));
    CHECK_THAT(wrong("config_vars: {'A B': x}"), Contains("name of a variable"));
    CHECK_THAT(wrong("config_vars: {'A=$(x)': x}"), Contains("name of a variable"));
}

TEST_CASE("YAML that would grow or nest without end is refused") {
    CHECK_THAT(wrong("a: &a [x, x]\nb: *a\n"), Contains("aliases") && Contains("line 2"));
    CHECK_THAT(wrong("a: " + std::string(40, '[') + std::string(40, ']')), Contains("too deep"));
    CHECK_THAT(wrong("a: " + std::string(100'000, '[')), Contains("brackets"));
    std::string dashes;
    for (int i = 0; i < 50; ++i) dashes += "- ";
    CHECK_THAT(wrong("a:\n " + dashes + "x\n"), Contains("too deep"));
    CHECK_THAT(wrong("a: " + std::string(300u << 10, 'x')), Contains("larger than 256 KiB"));
}

TEST_CASE("a report is kept as JSON, be it printed as JSON or YAML") {
    Left left;
    const auto report = [&](const std::string& text) {
        left.file("slot/report", text);
        return left.pack()->read_report(left.places());
    };
    CHECK(report(R"({"node": "22.1", "cached": true})") == R"({"cached":true,"node":"22.1"})");
    CHECK(report("ruby_version: 3.3.0\n") == R"({"ruby_version":"3.3.0"})");
    CHECK_FALSE(report("").has_value());
    CHECK_FALSE(report("cannot report: : :").has_value());
    CHECK_FALSE(report("{\"a\":" + std::string(100'000, '[')).has_value());
    CHECK_FALSE(report(std::string(50, '[') + std::string(50, ']')).has_value());
    CHECK_FALSE(Left().pack()->read_report(Left().places()).has_value());
}
