#include "api_shop_site.h"

#include "build_source.h"

#include <catch2/catch.hpp>

using Catch::Matchers::Contains;
using nlohmann::json;

namespace {

struct NewBuildSite : ShopSite {
    Reply ask_for(const json& build) {
        return ask("POST", "/v1/apps/shop/builds", deploy, {{"build", build}},
                   {"Content-Type: application/json"});
    }
    Reply with_options(const json& options) {
        return ask_for({{"source_url", "https://example.com/app.tar.gz"}, {"options", options}});
    }
};

} // namespace

TEST_CASE("a variable of one build has the rules of a config var, and no error tells its value") {
    NewBuildSite site;
    for (const char* name : {"../../etc/passwd", "a/b", "", "A=B", ".", "CNB_STACK_ID", "1A"}) {
        const auto refused = site.with_options({{"environment", {{name, "secret words"}}}});
        CHECK(refused.status == 422);
        CHECK_THAT(refused.text, !Contains("secret words"));
    }
    CHECK(site.with_options({{"environment", {{"A", 1}}}}).status == 422);
    CHECK(site.with_options({{"environment", json::array({1})}}).status == 422);
    json many = json::object();
    for (int i = 0; i < 101; ++i) many["V" + std::to_string(i)] = "v";
    CHECK(site.with_options({{"environment", many}}).status == 422);
    CHECK(site.ask("GET", "/v1/apps/shop/builds", site.deploy).json["builds"].empty());
}

TEST_CASE("a build of a webhook is built again with what opens its repository") {
    NewBuildSite site;
    site.store->hooks().add({.id = "h1", .app = "shop", .kind = "github"});
    apps::Build earlier;
    earlier.id = apps::new_build_id();
    earlier.app = "shop";
    earlier.state = apps::BuildState::refused;
    earlier.hook = "h1";
    earlier.commit = std::string(40, 'a');
    earlier.ref = "refs/heads/main";
    earlier.source = builder::render_source(builder::RemoteCommit{
        .url = "https://git.example.com/owner/repo.git", .commit = earlier.commit, .ref = "main"});
    site.store->builds().add(earlier);
    const auto made = site.ask_for({{"rebuild", earlier.id}});
    REQUIRE(made.status == 201);
    const auto again = site.store->builds().find(made.json["build"]["id"].get<std::string>());
    CHECK(again->hook == "h1");
    CHECK(again->commit == earlier.commit);
    CHECK(again->source == earlier.source);
}

TEST_CASE("a build whose source is not known any more is not built again") {
    NewBuildSite site;
    const auto lost = site.add_build("shop"); // of before sources were kept
    const auto refused = site.ask_for({{"rebuild", lost.id}});
    CHECK(refused.status == 404);
    CHECK_THAT(refused.text, Contains("not known any more"));
}

TEST_CASE("a buildpack of one build is checked as everybody's is") {
    NewBuildSite site;
    for (const char* uri : {"", "https://me:word@example.com/x", "a\nb"})
        CHECK(site.with_options({{"buildpacks", {uri}}}).status == 422);
}

TEST_CASE("Heroku's door checks buildpacks as ours does, and cancels in the same words") {
    NewBuildSite site;
    const auto ask_for = [&](const json& buildpacks) {
        return site.ask("POST", "/apps/shop/builds", site.deploy,
                        {{"source_blob", {{"url", "https://example.com/app.tar.gz"}}},
                         {"buildpacks", buildpacks}},
                        {"Content-Type: application/json"});
    };
    for (const char* url : {"", "https://me:word@example.com/x", "a\nb"})
        CHECK(ask_for({{{"url", url}}}).status == 422);
    json many = json::array(), texts = json::array();
    for (int i = 0; i < 51; ++i) {
        many.push_back({{"name", "heroku/nodejs"}});
        texts.push_back("heroku/nodejs");
    }
    CHECK(ask_for(many).status == 422);
    CHECK(site.with_options({{"buildpacks", texts}}).status == 422);
    const auto build = site.add_build("shop");
    CHECK(site.ask("DELETE", "/apps/shop/builds/" + build.id, site.deploy).status == 200);
    CHECK(site.store->builds().find(build.id)->reason == "it was cancelled by the token ci");
    const auto again = site.ask("DELETE", "/apps/shop/builds/" + build.id, site.deploy);
    CHECK(again.status == 409);
    CHECK_THAT(again.text, Contains("it is cancelled"));
}

TEST_CASE("a dry run is neither a crash for Scalingo's clients nor a failure for Heroku's") {
    NewBuildSite site;
    auto build = site.add_build("shop");
    site.store->builds().remove(build.id);
    build.state = apps::BuildState::detected;
    build.finished = build.created;
    site.store->builds().add(build);
    const auto deployment =
        site.ask("GET", "/v1/apps/shop/deployments/" + build.id, site.deploy).json;
    CHECK(deployment["deployment"]["status"] == "aborted");
    CHECK(site.ask("GET", "/apps/shop/builds/" + build.id, site.deploy).json["status"] ==
          "succeeded");
}

TEST_CASE("a retry of a fork's build stays one, and outlives its webhook") {
    NewBuildSite site;
    apps::Hook hook;
    hook.id = "h1";
    hook.app = "shop";
    site.store->hooks().add(hook);
    auto build = site.add_build("shop");
    site.store->builds().remove(build.id);
    build.hook = "h1";
    build.ref = "refs/pull/7/head";
    build.commit = std::string(40, 'c');
    build.source = builder::render_source(
        builder::RemoteCommit{.url = "https://git.example.com/a/b.git", .commit = build.commit});
    build.options = R"({"of_stranger": true})";
    site.store->builds().add(build);
    const auto retry = [&] {
        const auto made = site.ask_for({{"rebuild", build.id}, {"options", {{"no_cache", true}}}});
        REQUIRE(made.status == 201);
        return *site.store->builds().find(made.json["build"]["id"].get<std::string>());
    };
    const auto again = retry();
    CHECK(again.hook == "h1");
    CHECK(again.ref == build.ref);
    CHECK(json::parse(again.options) == json{{"no_cache", true}, {"of_stranger", true}});
    site.store->hooks().remove("h1"); // a public repository is open all the same
    CHECK(retry().hook.empty());
}

TEST_CASE("options that are not there, or are no options, are refused") {
    NewBuildSite site;
    CHECK(site.with_options({{"no_such", true}}).status == 422);
    CHECK(site.with_options(json::array({1, 2})).status == 422);
    CHECK(site.with_options("fast").status == 422);
    CHECK(site.with_options({{"no_cache", "yes"}}).status == 422);
}

TEST_CASE(
    "a build of an archive elsewhere is a row at once, with its options and without secrets") {
    NewBuildSite site;
    const auto made = site.with_options({{"environment", {{"KEY", "secret words"}}}});
    REQUIRE(made.status == 201);
    CHECK(made.json["build"]["door"] == "api");
    CHECK_THAT(made.text, !Contains("secret words"));
    for (const char* url : {"ftp://example.com/a.tgz", "https://me:word@example.com/a", "a b"})
        CHECK(site.ask_for({{"source_url", url}}).status == 422);
}

TEST_CASE("the URL of an archive is sealed in its build's row, and opens it again for a rebuild") {
    NewBuildSite site;
    const std::string url = "https://example.com/app.tar.gz?signature=secret-words";
    const auto made = site.ask_for({{"source_url", url}});
    REQUIRE(made.status == 201);
    CHECK_THAT(made.text, !Contains("secret-words"));
    const auto id = made.json["build"]["id"].get<std::string>();
    const auto row = *site.store->builds().find(id);
    CHECK_THAT(row.source, Contains("https://example.com/app.tar.gz") && !Contains("secret-words"));
    CHECK_THAT(row.sealed_source, Catch::Matchers::StartsWith("v1:") && !Contains("secret-words"));
    const auto url_of = [&](const apps::Build& build) {
        return std::get<builder::RemoteArchive>(server::read_source(build, &site.keys)).url;
    };
    CHECK(url_of(row) == url);
    for (const auto* path : {"/v1/builds/", "/v1/apps/shop/deployments/"})
        CHECK_THAT(site.ask("GET", path + id, site.deploy).text, !Contains("secret-words"));
    const auto again = site.ask_for({{"rebuild", id}});
    REQUIRE(again.status == 201);
    const auto second = *site.store->builds().find(again.json["build"]["id"].get<std::string>());
    CHECK(url_of(second) == url);
    CHECK_THAT(site.ask_for({{"source_url", "https://me:secret-words@example.com/a"}}).text,
               !Contains("secret-words"));
}

TEST_CASE(
    "a retry of a rebase takes the URL from the build that it began with, or says it is gone") {
    NewBuildSite site;
    const std::string url = "https://example.com/app.tar.gz?signature=secret-words";
    const auto made = site.ask_for({{"source_url", url}});
    REQUIRE(made.status == 201);
    const auto first = *site.store->builds().find(made.json["build"]["id"].get<std::string>());
    const auto rebase = [&](const std::string& of) {
        auto row = site.add_build("shop");
        site.store->builds().remove(row.id);
        row.door = "rebase";
        row.source_kind = first.source_kind;
        row.source = first.source; // without what is secret in it
        row.options = json{{"rebase_of", of}, {"run_image", "run"}}.dump();
        site.store->builds().add(row);
        return row;
    };
    const auto second = rebase(rebase(first.id).id);
    const auto again = site.ask_for({{"rebuild", second.id}});
    REQUIRE(again.status == 201);
    const auto row = *site.store->builds().find(again.json["build"]["id"].get<std::string>());
    CHECK(std::get<builder::RemoteArchive>(server::read_source(row, &site.keys)).url == url);
    CHECK(row.retry_of == first.id);
    const auto orphan = rebase("b000000000000");
    const auto refused = site.ask_for({{"rebuild", orphan.id}});
    CHECK(refused.status == 404);
    CHECK_THAT(refused.text, Contains(orphan.id) && Contains("b000000000000") &&
                                 Contains("Start a build from the URL again"));
}

TEST_CASE("a URL that an older program wrote down openly is sealed at the start") {
    NewBuildSite site;
    auto build = site.add_build("shop");
    site.store->builds().remove(build.id);
    const builder::RemoteArchive archive{"https://example.com/a.tgz?signature=secret-words", "sum"};
    build.source_kind = "url";
    build.source = builder::render_source(archive);
    site.store->builds().add(build);
    server::seal_open_sources(site.store->builds(), site.keys);
    CHECK(site.store->builds().list_open_sources().empty());
    const auto row = *site.store->builds().find(build.id);
    CHECK_THAT(row.source, !Contains("secret-words"));
    const auto read = std::get<builder::RemoteArchive>(server::read_source(row, &site.keys));
    CHECK(read.url == archive.url);
    CHECK(read.checksum == archive.checksum);
}
