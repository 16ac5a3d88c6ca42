#include "receiver/push_options.h"

#include <catch2/catch.hpp>

using receiver::parse_push_options;
using receiver::PushOptions;
using receiver::Refuse;

namespace {

PushOptions taken(const std::vector<std::string>& options) {
    auto parsed = parse_push_options(options);
    REQUIRE(std::holds_alternative<PushOptions>(parsed));
    return std::get<PushOptions>(parsed);
}

// The refusal's lines, joined.
std::string refused(const std::vector<std::string>& options) {
    const auto parsed = parse_push_options(options);
    if (!std::holds_alternative<Refuse>(parsed)) return "it was taken";
    std::string text;
    for (const auto& line : std::get<Refuse>(parsed).lines) {
        CHECK(line.starts_with(" !     "));
        text += line + "\n";
    }
    return text;
}

bool says(const std::string& text, std::string_view part) {
    return text.find(part) != std::string::npos;
}

} // namespace

TEST_CASE("no push option asks for nothing") {
    CHECK(taken({}).empty());
}

TEST_CASE("each push option is read") {
    const auto options =
        taken({"detach", "no-cache", "verbose", "buildpack=heroku/nodejs", "env.A=1",
               "buildpack=https://example.com/b.git#v1=2", "env._b2=x=y z", "env.EMPTY="});
    CHECK(options.detach);
    CHECK(options.no_cache);
    CHECK(options.verbose);
    CHECK_FALSE(options.dry_run);
    CHECK(options.buildpacks ==
          std::vector<std::string>{"heroku/nodejs", "https://example.com/b.git#v1=2"});
    REQUIRE(options.environment.size() == 3);
    CHECK(options.environment.at("A").reveal() == "1");
    CHECK(options.environment.at("_b2").reveal() == "x=y z");
    CHECK(options.environment.at("EMPTY").reveal().empty());
    CHECK(taken({"dry-run", "dry-run"}).dry_run);
}

TEST_CASE("an unknown push option is refused with the list") {
    const auto text = refused({"colour=red"});
    CHECK(says(text, "no push option \"colour\""));
    CHECK_FALSE(says(text, "red"));
    CHECK_FALSE(says(text, "Did you mean"));
    for (const char* name : {"-o detach", "-o no-cache", "-o buildpack=URI", "-o env.KEY=value",
                             "-o dry-run", "-o verbose"})
        CHECK(says(text, name));
    CHECK(says(refused({""}), "no push option \"\""));
}

TEST_CASE("an unknown push option is told the name that it resembles") {
    const std::pair<const char*, const char*> meant[] = {{"detatch", "-o detach"},
                                                         {"no_cache", "-o no-cache"},
                                                         {"nocache", "-o no-cache"},
                                                         {"Verbose", "-o verbose"},
                                                         {"verb", "-o verbose"},
                                                         {"dryrun", "-o dry-run"},
                                                         {"buildpacks=x", "-o buildpack=URI"},
                                                         {"env=A", "-o env.KEY=value"}};
    for (const auto& [written, right] : meant) {
        INFO(written);
        CHECK(says(refused({written}), std::string("Did you mean: git push ") + right));
    }
}

TEST_CASE("a push option that needs a value or takes none says so") {
    CHECK(says(refused({"buildpack"}), "-o buildpack=URI"));
    CHECK(says(refused({"buildpack="}), "-o buildpack=URI"));
    CHECK(says(refused({"env.A"}), "-o env.A=value"));
    CHECK(says(refused({"detach=yes"}), "takes no value"));
    CHECK(says(refused({"env.A=1", "env.A=2"}), "twice"));
    CHECK(says(refused({"detach", "dry-run"}), "one of them"));
}

TEST_CASE("a variable's name is letters, digits and underscores; its value is never repeated") {
    for (const char* option : {"env.=geheim", "env.1A=geheim", "env.A-B=geheim", "env.A B=geheim",
                               "env.A.B=geheim", "env.\xc3\xa4=geheim", "env.A;id=geheim"}) {
        const auto text = refused({option});
        INFO(text);
        CHECK(says(text, "needs a name of letters"));
        CHECK_FALSE(says(text, "geheim"));
    }
    CHECK_FALSE(says(refused({"env.A=geheim\x1b[0m"}), "geheim"));
    CHECK_FALSE(says(refused({"unknown=geheim"}), "geheim"));
}

TEST_CASE("too many, too long and unprintable push options are refused") {
    CHECK(says(refused(std::vector<std::string>(65, "detach")), "64 options at most"));
    CHECK(taken(std::vector<std::string>(64, "detach")).detach);
    CHECK(says(refused({"env.A=" + std::string(32u << 10, 'x')}), "is longer than"));
    CHECK(says(refused({std::string(40'000, 'x')}), "is longer than"));
    std::vector<std::string> five;
    for (int i = 0; i < 5; ++i)
        five.push_back("env.A" + std::to_string(i) + "=" + std::string(30'000, 'x'));
    CHECK(says(refused(five), "together"));
    for (const std::string text : {"detach\n", "env.A=1\r", "buildpack=a\x1b]0;x", "a\x7f"})
        CHECK(says(refused({text}), "control character"));
    CHECK(says(refused({std::string("env.A=\0", 7)}), "control character"));
    CHECK(says(refused({"buildpack=" + std::string(2001, 'x')}), "at most 2000"));
    CHECK(says(refused({"buildpack=a b"}), "without spaces"));
    CHECK(says(refused(std::vector<std::string>(33, "buildpack=a")), "32 times"));
    CHECK(taken({"env.A=tab\there"}).environment.at("A").reveal() == "tab\there");
}

TEST_CASE("what would be a header or a command elsewhere is text here") { // CVE-2026-3854's way
    const auto options = taken({"env.A=;x-other=1; rm -rf /;$(id)`id`\"'\\"});
    CHECK(options.environment.at("A").reveal() == ";x-other=1; rm -rf /;$(id)`id`\"'\\");
    CHECK(options.environment.size() == 1);
}
