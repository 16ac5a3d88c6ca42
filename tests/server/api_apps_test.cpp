#include "api_site.h"

#include "registry_child.h"
#include "registry_tokens.h"

#include "base/fd.h"

#include <catch2/catch.hpp>

using Catch::Matchers::Contains;
using nlohmann::json;

namespace {

struct AppSite : ApiSite {
    using ApiSite::ApiSite;
    Reply create(const std::string& name, json more = json::object()) {
        more["name"] = name;
        return ask("POST", "/v1/apps", root, {{"app", more}});
    }
    std::string root = add_token("root", {"server"});
};

const std::string digest = "@sha256:" + std::string(64, '1');

} // namespace

TEST_CASE("an app is made, shown, changed and destroyed") {
    AppSite site;
    const auto made = site.create("shop", {{"owner", "ann"}});
    REQUIRE(made.status == 201);
    CHECK(made.header("location") == "/v1/apps/shop");
    CHECK(made.json["app"]["owner"]["username"] == "ann");
    CHECK(made.json["app"]["status"] == "new");
    CHECK(made.json["app"]["links"]["deployments_stream"] ==
          "ws://builds.test/v1/apps/shop/deployments/stream");
    CHECK(std::filesystem::exists(site.state.repository("shop")));
    CHECK(site.create("shop").status == 409);

    const auto changed = site.ask("PATCH", "/v1/apps/shop", site.root,
                                  {{"app", {{"buildpacks", {"acme/a"}}, {"owner", "bob"}}}});
    CHECK(changed.json["app"]["buildpacks"] == json{"acme/a"});
    CHECK(changed.json["app"]["owner"]["username"] == "bob");
    const auto back =
        site.ask("PATCH", "/v1/apps/shop", site.root, {{"app", {{"buildpacks", json::array()}}}});
    CHECK(back.json["app"]["buildpacks"].empty());

    CHECK(site.ask("DELETE", "/v1/apps/shop", site.root).json["error"]["field"] == "current_name");
    CHECK(site.ask("DELETE", "/v1/apps/shop?current_name=shop", site.root).status == 204);
    CHECK_FALSE(std::filesystem::exists(site.state.repository("shop")));
    CHECK(site.ask("GET", "/v1/apps/shop", site.root).status == 404);
}

TEST_CASE("a change with one wrong field changes nothing") {
    AppSite site;
    site.create("shop");
    const auto refused = [&](const json& change) {
        const auto reply = site.ask("PATCH", "/v1/apps/shop", site.root, {{"app", change}});
        CHECK(reply.status == 422);
        return reply.json["error"]["field"].get<std::string>();
    };
    CHECK(refused({{"buildpacks", {"acme/a"}}, {"stack", "none"}}) == "stack");
    CHECK(refused({{"buildpacks", {"https://ann:secret@x.test/a"}}}) == "buildpacks");
    CHECK(refused({{"buildpacks", "acme/a"}}) == "buildpacks");
    CHECK(refused({{"owner", ""}}) == "owner");
    CHECK(site.ask("GET", "/v1/apps/shop", site.root).json["app"]["buildpacks"].empty());
}

TEST_CASE("names that are no apps are refused, wherever they stand") {
    AppSite site;
    for (const char* name : {"", "Shop", "a b", "../x", "a/b", "-a"}) {
        CHECK(site.create(name).json["error"]["field"] == "name");
    }
    CHECK(site.ask("GET", "/v1/apps/..%2f..%2fetc", site.root).status == 400);
    CHECK(site.ask("GET", "/v1/apps/%00", site.root).status >= 400);
}

TEST_CASE("an app with a build under way is not destroyed and keeps its cache") {
    AppSite site;
    site.create("shop");
    site.queue->submit({.app = "shop",
                        .ref = "refs/heads/main",
                        .commit = std::string(40, 'a'),
                        .pushed_by = "ann",
                        .source = builder::GitTree{"/nowhere", std::string(40, 'a'), {}},
                        .hold = true});
    CHECK(site.ask("DELETE", "/v1/apps/shop?current_name=shop", site.root).status == 409);
    CHECK(site.ask("DELETE", "/v1/apps/shop/caches/deployment", site.root).status == 409);
}

TEST_CASE("an app starts without the cache of the one that had its name") {
    AppSite site;
    std::filesystem::create_directories(site.state.caches() / "shop" / "layers");
    CHECK(site.create("shop").status == 201);
    CHECK_FALSE(std::filesystem::exists(site.state.caches() / "shop"));
}

TEST_CASE(
    "an app's images leave the server's registry with it, or before the next app has its place") {
    AppSite site;
    const server::RegistryTokens tokens;
    site.registry.tokens = &tokens;
    const auto link = server::registry_data(site.state) /
                      "docker/registry/v2/repositories/acme/shop/_manifests/tags/v1/current/link";
    const auto push = [&] {
        std::filesystem::create_directories(link.parent_path());
        base::write_file(link, digest);
    };
    site.create("shop", {{"repository", "acme/shop"}});
    push();
    CHECK(site.ask("DELETE", "/v1/apps/shop?current_name=shop", site.root).status == 204);
    CHECK_FALSE(std::filesystem::exists(link));
    CHECK(site.store->list_leaving("here") == std::vector<std::string>{"acme/shop"});
    push(); // with a token of before
    CHECK(site.create("shop", {{"repository", "acme/shop"}}).status == 201);
    CHECK_FALSE(std::filesystem::exists(link));
    CHECK_FALSE(site.store->is_leaving("acme/shop"));
    // A path that an app moves to.
    CHECK(site.ask("DELETE", "/v1/apps/shop?current_name=shop", site.root).status == 204);
    push();
    site.create("blog");
    CHECK(site.ask("PATCH", "/v1/apps/blog", site.root, {{"app", {{"repository", "acme/shop"}}}})
              .status == 200);
    CHECK_FALSE(std::filesystem::exists(link));
    CHECK(site.store->list_leaving("here") == std::vector<std::string>{"blog"});
}

TEST_CASE("an app's cache is cleared") {
    AppSite site;
    site.create("shop");
    std::filesystem::create_directories(site.state.caches() / "shop" / "layers");
    CHECK(site.ask("DELETE", "/v1/apps/shop/caches/deployment", site.root).status == 204);
    CHECK_FALSE(std::filesystem::exists(site.state.caches() / "shop"));
}

TEST_CASE("a stack's images are kept by their digests") {
    AppSite site;
    const json wanted{{"build", "r.test/b" + digest}, {"run", "r.test/r" + digest}};
    const auto put = site.ask("PUT", "/v1/stacks/tiny", site.root, {{"stack", wanted}});
    CHECK(put.status == 200);
    CHECK(put.json["stack"]["current"] == true);
    CHECK(site.ask("GET", "/v1/stacks/tiny", site.root).json == put.json);
    CHECK(site.ask("GET", "/v1/stacks", site.root).json["stacks"].size() == 1);
    CHECK(site.ask("GET", "/v1/stacks/none", site.root).status == 404);
    const auto wrong =
        site.ask("PUT", "/v1/stacks/tiny", site.root, {{"stack", {{"build", "///"}}}});
    CHECK(wrong.json["error"]["field"] == "build");
}

TEST_CASE("keys are added, listed and removed") {
    AppSite site;
    const std::string key =
        "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4f ann";
    const auto added =
        site.ask("POST", "/v1/keys", site.root, {{"key", {{"name", "ann"}, {"key", key}}}});
    REQUIRE(added.status == 201);
    CHECK(added.json["key"]["fingerprint"].get<std::string>().starts_with("SHA256:"));
    CHECK(site.ask("GET", "/v1/keys", site.root).json["keys"].size() == 1);
    CHECK(site.ask("POST", "/v1/keys", site.root, {{"key", {{"name", "a b"}, {"key", key}}}})
              .json["error"]["field"] == "name");
    CHECK(site.ask("DELETE", "/v1/keys/ann", site.root).status == 204);
    CHECK(site.ask("DELETE", "/v1/keys/ann", site.root).status == 404);
}

TEST_CASE("readyz names what is missing, and that the server stops") {
    AppSite site([](server::Config& config) { config.build.free_space = 1ull << 60; });
    const auto names = [&] {
        std::vector<std::string> found;
        const auto reply = site.ask("GET", "/readyz", "");
        CHECK(reply.status == 503);
        CHECK(reply.json["ready"] == false);
        for (const auto& entry : reply.json["missing"]) {
            found.push_back(entry["name"]);
            CHECK_FALSE(entry.contains("reason")); // addresses and paths are not everybody's
        }
        return found;
    };
    CHECK(names() == std::vector<std::string>{"registry", "disk", "stack"});
    site.api->note_stopping();
    CHECK(names().back() == "server");
    CHECK(site.ask("GET", "/livez", "").text == "ok\n");
}

TEST_CASE("readyz is ready when all is there") {
    AppSite site;
    const auto registry = server::listen_on({"127.0.0.1", 0});
    site.registry.host = registry.address.render();
    site.store->use_stack({"tiny", "r.test/b" + digest, "r.test/r" + digest, true});
    const auto reply = site.ask("GET", "/readyz", "");
    CHECK(reply.text == "{\"missing\":[],\"ready\":true}\n");
    CHECK(reply.status == 200);
}

TEST_CASE("bodies that are no objects, or too long, are refused") {
    AppSite site;
    CHECK(site.ask("POST", "/v1/apps", site.root, json("text")).status == 400);
    CHECK(site.ask("POST", "/v1/apps", site.root).json["error"]["field"] == "app");
    const auto large = site.create("shop", {{"x", std::string(2u << 20, 'x')}});
    CHECK(large.status == 413);
}

TEST_CASE("a prune says what would leave, and lets nothing leave unless it is asked to") {
    AppSite site([](server::Config& config) { config.retention.logs = std::chrono::hours(1); });
    const auto stray = site.state.logs() / "b000000000000.log";
    base::write_file(stray, "old words\n");
    std::filesystem::last_write_time(stray, std::filesystem::file_time_type::clock::now() -
                                                std::chrono::hours(24 * 400));
    const auto dry = site.ask("POST", "/v1/prune", site.root);
    CHECK(dry.json["dry_run"] == true);
    REQUIRE(dry.json["prune"].contains("log"));
    CHECK(dry.json["prune"]["log"]["bytes"].get<int>() >= 10);
    CHECK(std::filesystem::exists(stray));
    const auto done = site.ask("POST", "/v1/prune", site.root, {{"dry_run", false}});
    CHECK(done.json["items"] == dry.json["items"]);
    CHECK_FALSE(std::filesystem::exists(stray));
}
