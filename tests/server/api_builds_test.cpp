#include "api_shop_site.h"

#include "base/fd.h"

#include <catch2/catch.hpp>

#include <fcntl.h>
#include <sys/stat.h>

using Catch::Matchers::Contains;
using nlohmann::json;

namespace {

struct BuildSite : ShopSite {
    // A build whose log is this, over.
    std::string add_ended(const std::string& log) {
        auto build = add_build("shop");
        build.state = apps::BuildState::cancelled;
        build.reason = "nobody wanted it";
        store->builds().close(build);
        base::write_file(state.log_of(build.id), log);
        return build.id;
    }
};

} // namespace

TEST_CASE("a build is shown with all that is known of it") {
    BuildSite site;
    const auto id = site.add_ended("one\n");
    const auto build = site.ask("GET", "/v1/builds/" + id, site.root).json["build"];
    CHECK(build["id"] == id);
    CHECK(build["app"] == "shop");
    CHECK(build["state"] == "cancelled");
    CHECK(build["door"] == "git");
    CHECK(build["reason"] == "nobody wanted it");
    CHECK(build["digest"].is_null());
    CHECK(build["started_at"].is_null());
    CHECK(build["queue"].is_null());
}

TEST_CASE("builds are listed the newest first, a page at a time, by state") {
    BuildSite site;
    std::vector<std::string> ids;
    for (int i = 0; i < 5; ++i) ids.push_back(site.add_build("shop").id);
    const auto ended = site.add_ended("");
    const auto page = site.ask("GET", "/v1/apps/shop/builds?per_page=2&page=2", site.root).json;
    REQUIRE(page["builds"].size() == 2);
    CHECK(page["builds"][0]["id"] == ids[3]);
    CHECK(page["meta"]["pagination"]["total_count"] == 6);
    CHECK(page["meta"]["pagination"]["total_pages"] == 3);
    const auto over = site.ask("GET", "/v1/builds?state=cancelled", site.root).json;
    REQUIRE(over["builds"].size() == 1);
    CHECK(over["builds"][0]["id"] == ended);
    CHECK(over["meta"]["pagination"]["total_count"] == 1);
    CHECK(site.ask("GET", "/v1/builds?state=no", site.root).json["error"]["field"] == "state");
    CHECK(site.ask("GET", "/v1/builds?page=0", site.root).status == 422);
}

TEST_CASE("a log is read from an offset and says where it ends") {
    BuildSite site;
    const auto id = site.add_ended("one\ntwo\nthree\n");
    const auto path = "/v1/builds/" + id + "/log";
    const auto whole = site.ask("GET", path, site.root);
    CHECK(whole.text == "one\ntwo\nthree\n");
    CHECK(whole.header("slipway-log-offset") == "14");
    CHECK(whole.header("content-type") == "text/plain; charset=utf-8");
    CHECK(site.ask("GET", path + "?offset=4", site.root).text == "two\nthree\n");
    CHECK(site.ask("GET", path + "?offset=14", site.root).text.empty());
    CHECK(site.ask("GET", path + "?offset=900", site.root).header("slipway-log-offset") == "900");
    for (const char* wrong : {"-1", "x", "", "99999999999999999999"})
        CHECK(site.ask("GET", path + "?offset=" + wrong, site.root).status == 422);
}

TEST_CASE("half a line at the end of a log is not shown yet") {
    BuildSite site;
    const auto id = site.add_ended("one\ntw");
    const auto reply = site.ask("GET", "/v1/builds/" + id + "/log", site.root);
    CHECK(reply.text == "one\n");
    CHECK(reply.header("slipway-log-offset") == "4");
}

TEST_CASE("events carry the offset after them, resume there, and end with the build") {
    BuildSite site;
    const auto id = site.add_ended("one\ntwo\n");
    const auto path = "/v1/builds/" + id + "/log";
    const auto events = site.ask("GET", path, site.root, nullptr, {"Accept: text/event-stream"});
    CHECK(events.header("content-type") == "text/event-stream");
    CHECK_THAT(events.text, Contains("id: 8\nevent: log\ndata: one\ndata: two\n\n"));
    CHECK_THAT(events.text, Contains("event: build\ndata: {"));
    CHECK_THAT(events.text, Contains("\"state\":\"cancelled\""));
    const auto rest = site.ask("GET", path, site.root, nullptr,
                               {"Accept: text/event-stream", "Last-Event-ID: 4"});
    CHECK_THAT(rest.text, Contains("data: two\n\n") && !Contains("data: one"));
}

TEST_CASE("a growing log is followed to its end") {
    BuildSite site;
    const auto live = site.queue->submit({"shop", "refs/heads/main", std::string(40, 'a'), "ann",
                                          builder::GitTree{"/nowhere", std::string(40, 'a'), {}}});
    const auto reply = site.ask("GET", "/v1/builds/" + live->id() + "/log?follow", site.root);
    CHECK(reply.status == 200);
    CHECK_THAT(reply.text, Contains("-----> Building shop") && Contains("Digest: sha256:"));
    CHECK(reply.text == base::read_file(site.state.log_of(live->id())));
}

TEST_CASE("a build that has ended is not cancelled") {
    BuildSite site;
    const auto id = site.add_ended("");
    const auto reply = site.ask("POST", "/v1/builds/" + id + "/cancel", site.root);
    CHECK(reply.status == 409);
    CHECK_THAT(reply.text, Contains("it is cancelled"));
}

TEST_CASE("a running build is cancelled and the log says by whom") {
    BuildSite site;
    const auto gate = site.directory.path() / "shop.hold";
    REQUIRE(::mkfifo(gate.c_str(), 0600) == 0);
    const auto live = site.queue->submit({"shop", "refs/heads/main", std::string(40, 'a'), "ann",
                                          builder::GitTree{"/nowhere", std::string(40, 'a'), {}}});
    const auto held = base::open_file(gate, O_WRONLY); // the worker stands there
    const auto reply = site.ask("POST", "/v1/builds/" + live->id() + "/cancel", site.deploy);
    CHECK(reply.status == 202);
    const auto log = site.ask("GET", "/v1/builds/" + live->id() + "/log?follow", site.root).text;
    CHECK_THAT(log, Contains("cancelled by the token ci"));
    CHECK(site.store->builds().find(live->id())->state == apps::BuildState::cancelled);
}

TEST_CASE("records of a name that there is not are refused") {
    BuildSite site;
    const auto path = "/v1/builds/" + site.add_ended("") + "/records/";
    CHECK(site.ask("GET", path + "detection", site.root).json["records"].empty());
    CHECK(site.ask("GET", path + "passwd", site.root).status == 400);
    CHECK(site.ask("GET", path + "..%2f..%2fslipway.db", site.root).status == 400);
}
