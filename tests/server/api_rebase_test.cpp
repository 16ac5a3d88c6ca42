// POST /v1/rebase with a real registry: what becomes of apps, and who may ask for it.
#include "api_site.h"

#include "api/rebase.h"

#include "blob_store_contract.h"
#include "registry_process.h"
#include "skip.h"

#include "base/guarded.h"
#include "builder/run_layers.h"
#include "registry/repository.h"

#include <catch2/catch.hpp>

using Catch::Matchers::Contains;
using nlohmann::json;

namespace {

constexpr const char* metadata_label = "io.buildpacks.lifecycle.metadata";

struct RebaseSite : ApiSite {
    RebaseSite() {
        registry.host = process.host();
        server::api::add_rebase_routes(router, *api, rebases);
        old_run = push_run("old", "one");
        new_run = push_run("new", "another");
        store->use_stack({"tiny", old_run, old_run, true});
        operator_ = add_token("operator", {"server"});
    }

    std::unique_ptr<image::BlobStore> open(const std::string& repository) {
        return registry::open_repository(process.host(), repository, {});
    }
    // A run image; its reference with its digest.
    std::string push_run(const std::string& tag, const std::string& content) {
        const auto made = contract::push_small_image(*open("stacks/tiny"), tag, content);
        return process.host() + "/stacks/tiny@" + made.digest().render();
    }
    // An app with a release on the old run image.
    std::string add_release(const std::string& name, bool rebasable = true) {
        store->add_app({name, 1});
        const auto target = open(name);
        const auto base = image::read_image(*open("stacks/tiny"), "old", "amd64", "old", {});
        contract::push_small_image(*target, "layers", "one"); // the run image's layer
        const auto own = contract::push_small_image(*target, "more", "of " + name).layers();
        auto app = base.with_layers(own, {{"the app"}});
        auto own_config = app.config();
        own_config.environment = {"CNB_PLATFORM_API=0.15"};
        if (!rebasable) own_config.labels["io.buildpacks.rebasable"] = "false";
        own_config.labels[metadata_label] = json{
            {"app", {{{"sha", own[0].diff_id.render()}}}},
            {"runImage",
             {{"topLayer", base.layers().back().diff_id.render()},
              {"reference", "stacks/tiny@" + base.digest().render()},
              {"image", "stacks/tiny"}}}}.dump();
        app = app.with_config(own_config);
        builder::write_image(*target, name, app, "latest", {});
        auto build = queued(name);
        build.state = apps::BuildState::published;
        build.finished = build.created;
        build.digest = app.digest().render();
        build.reference = process.host() + "/" + name + "@" + build.digest;
        build.commit = std::string(40, 'c');
        build.source = R"({"kind": "git"})";
        build.processes = {{"web", "run", true}};
        store->builds().add(build);
        return build.id;
    }
    static apps::Build queued(const std::string& app) {
        apps::Build build;
        build.id = apps::new_build_id();
        build.app = app;
        build.ref = "refs/heads/main";
        build.source_kind = "git";
        build.created = apps::now_milliseconds();
        return build;
    }
    Reply rebase(const json& wish, std::vector<std::string> headers = {}) {
        return ask("POST", "/v1/rebase", operator_, {{"rebase", wish}}, std::move(headers));
    }
    Reply rebase_app(const std::string& app, const std::string& token, const json& wish) {
        return ask("POST", "/v1/apps/" + app + "/rebase", token, {{"rebase", wish}});
    }
    std::string latest(const std::string& app) {
        return open(app)->read_manifest("latest", {})->digest.render();
    }

    RegistryProcess process;
    base::Guarded<std::vector<std::string>> told; // "app state", as it changed
    server::Rebases rebases{{.store = *store,
                             .registry = registry,
                             .logs_directory = state.logs(),
                             .ca_file = {},
                             .name = "here",
                             .drain = {},
                             .prove = {},
                             .on_change = [this](const apps::Build& build) {
                                 told.lock()->push_back(build.app + " " +
                                                        std::string(to_string(build.state)));
                             }}};
    std::string old_run, new_run, operator_;
};

} // namespace

TEST_CASE("every app is put on the run image: a release each, whatever becomes of the others") {
    if (is_missing("docker-registry")) return;
    RebaseSite site;
    const auto shop = site.add_release("shop");
    site.add_release("blog");
    site.add_release("stubborn", false);
    site.store->add_app({"empty", 1});
    const auto before = site.latest("shop"), stubborn = site.latest("stubborn");

    const auto reply = site.rebase({{"run", site.new_run}});
    REQUIRE(reply.status == 200);
    const auto& report = reply.json["rebase"];
    CHECK(
        report["counts"] ==
        json{{"rebased", 2}, {"would-rebase", 0}, {"unchanged", 0}, {"skipped", 1}, {"failed", 1}});
    std::map<std::string, json> by_app;
    for (const auto& one : report["apps"]) by_app[one["app"]] = one;
    CHECK(by_app["empty"]["result"] == "skipped");
    CHECK(by_app["stubborn"]["result"] == "failed");
    CHECK_THAT(by_app["stubborn"]["reason"].get<std::string>(), Contains("not to be rebased"));
    CHECK(site.latest("stubborn") == stubborn);
    const auto& one = by_app["shop"];
    CHECK(one["result"] == "rebased");
    CHECK(one["from"] == before);
    CHECK(one["to"] == site.latest("shop"));
    CHECK(one["run"] == site.new_run);
    CHECK(one["to"] != before);

    const auto row = *site.store->builds().find(one["build"].get<std::string>());
    CHECK(row.state == apps::BuildState::published);
    CHECK(row.door == "rebase");
    CHECK(row.digest == one["to"]);
    CHECK(row.reference == one["reference"]);
    CHECK(row.commit == std::string(40, 'c'));
    CHECK(row.pushed_by == "operator");
    CHECK(row.processes.size() == 1);
    CHECK(row.size > 0);
    CHECK(json::parse(row.options) == json{{"rebase_of", shop}, {"run_image", site.new_run}});
    CHECK(site.store->builds().last_published("shop")->id == row.id);
    const auto log = site.ask("GET", "/v1/builds/" + row.id + "/log", site.operator_).text;
    CHECK_THAT(log, Contains("Rebasing shop onto " + site.new_run));
    CHECK_THAT(log, Contains(row.digest));
    const auto told = *site.told.lock();
    for (const char* change : {"shop running", "shop published", "blog published"})
        CHECK(std::count(told.begin(), told.end(), change) == 1);
    CHECK(std::count(told.begin(), told.end(), "stubborn running") == 0);
}

TEST_CASE("a rebase onto the run image that an app has makes no release, and a dry run none") {
    if (is_missing("docker-registry")) return;
    RebaseSite site;
    site.add_release("shop");
    const auto before = site.latest("shop");
    const auto rows = [&] { return site.store->builds().count({.app = "shop"}); };
    const auto same = site.rebase({{"run", site.old_run}}).json["rebase"]["apps"][0];
    CHECK(same["result"] == "unchanged");
    CHECK(same["to"] == before);
    const auto dry = site.rebase({{"run", site.new_run}, {"dry_run", true}}).json["rebase"];
    CHECK(dry["apps"][0]["result"] == "would-rebase");
    CHECK(rows() == 1);
    CHECK(site.latest("shop") == before);
    const auto done = site.rebase({{"run", site.new_run}}).json["rebase"]["apps"][0];
    CHECK(done["to"] == dry["apps"][0]["to"]);
    CHECK(rows() == 2);
    // Without a run image: that of the stack, which the operator has left as it was.
    const auto back = site.rebase(json::object()).json["rebase"]["apps"][0];
    CHECK(back["result"] == "rebased");
    CHECK(back["to"] == before);
}

TEST_CASE("force is needed where the specification leaves it to a person, and is told of") {
    if (is_missing("docker-registry")) return;
    RebaseSite site;
    site.add_release("stubborn", false);
    const auto done =
        site.rebase({{"run", site.new_run}, {"force", true}}).json["rebase"]["apps"][0];
    CHECK(done["result"] == "rebased");
    REQUIRE(done["warnings"].size() == 1);
    CHECK_THAT(done["warnings"][0].get<std::string>(), Contains("not to be rebased"));
}

TEST_CASE("the same request sent twice is one rebase") {
    if (is_missing("docker-registry")) return;
    RebaseSite site;
    site.add_release("shop");
    const std::vector<std::string> key{"Idempotency-Key: tuesday"};
    const auto first = site.rebase({{"run", site.new_run}}, key);
    const auto again = site.rebase({{"run", site.new_run}}, key);
    CHECK(again.header("idempotent-replayed") == "true");
    CHECK(again.json == first.json);
    CHECK(site.store->builds().count({.app = "shop"}) == 2);
}

TEST_CASE("an app that is being built is left alone until it has been built") {
    if (is_missing("docker-registry")) return;
    RebaseSite site;
    site.add_release("shop");
    site.store->builds().add(RebaseSite::queued("shop"));
    const auto claim = *site.store->builds().claim("a worker", std::chrono::minutes(1));
    const auto before = site.latest("shop");
    const auto left = site.rebase({{"run", site.new_run}}).json["rebase"]["apps"][0];
    CHECK(left["result"] == "failed");
    CHECK_THAT(left["reason"].get<std::string>(), Contains("a build of shop is running"));
    CHECK(site.latest("shop") == before);
    auto row = claim.build;
    row.state = apps::BuildState::refused;
    row.finished = row.started;
    site.store->builds().finish(row, claim.fence);
    CHECK(site.rebase({{"run", site.new_run}}).json["rebase"]["apps"][0]["result"] == "rebased");
}

TEST_CASE("who may deploy an app may put it on a run image of the server's stacks alone") {
    if (is_missing("docker-registry")) return;
    RebaseSite site;
    site.add_release("shop");
    site.add_release("blog");
    const auto deploy = site.add_token("ci", {"app:shop:deploy"});
    const auto read = site.add_token("reader", {"app:shop:read"});
    CHECK(site.ask("POST", "/v1/rebase", deploy, {{"rebase", json::object()}}).status == 403);
    CHECK(site.rebase_app("blog", deploy, json::object()).status == 404);
    CHECK(site.rebase_app("shop", read, json::object()).status == 403);
    CHECK(site.rebase_app("shop", deploy, {{"run", site.new_run}}).status == 403);
    CHECK(site.rebase_app("shop", deploy, {{"run", site.process.host() + "/blog:latest"}}).status ==
          403);
    CHECK(site.rebase_app("shop", deploy, {{"run", "No Image"}}).status == 422);
    site.store->use_stack({"tiny", site.old_run, site.new_run, true});
    const auto done = site.rebase_app("shop", deploy, {{"run", site.new_run}});
    CHECK(done.status == 200);
    CHECK(done.json["rebase"]["result"] == "rebased");
    CHECK(site.rebase_app("shop", deploy, json::object()).json["rebase"]["result"] == "unchanged");
    CHECK(site.rebase_app("blog", site.operator_, {{"run", site.new_run}}).status == 200);
}

TEST_CASE("a run image that is not there is said once for each app, and an app that is not there") {
    if (is_missing("docker-registry")) return;
    RebaseSite site;
    site.add_release("shop");
    const auto reply = site.rebase(
        {{"run", site.process.host() + "/stacks/tiny:gone"}, {"apps", {"shop", "nobody"}}});
    CHECK(reply.json["rebase"]["counts"]["failed"] == 2);
    const auto& apps = reply.json["rebase"]["apps"];
    CHECK_THAT(apps[0]["reason"].get<std::string>(), Contains("there is no run image"));
    CHECK_THAT(apps[1]["reason"].get<std::string>(), Contains("there is no app \"nobody\""));
}

TEST_CASE("no rebase begins during a pause, and only one pauses") {
    if (is_missing("docker-registry")) return;
    RebaseSite site;
    site.add_release("shop");
    REQUIRE(site.rebases.pause({}));
    CHECK_FALSE(site.rebases.pause({}));
    CHECK(site.rebase({{"run", site.new_run}}).status == 503);
    site.rebases.resume();
    CHECK(site.rebase({{"run", site.new_run}}).status == 200);
}
