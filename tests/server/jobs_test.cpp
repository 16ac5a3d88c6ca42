#include "jobs.h"

#include "build_options.h"

#include "server/config_vars.h"

#include "base/temp_dir.h"

#include <catch2/catch.hpp>

using namespace server;

namespace {

// A server's state with an app that has a secret, and what its builds are given.
struct JobSite {
    JobSite() {
        store->add_app({"shop", 1});
        const std::string digest = "@sha256:" + std::string(64, 'a');
        store->use_stack({"debian-12", "r/build" + digest, "r/run" + digest, true});
        variables.change("shop",
                         {{"KEY", ConfigVarChange::Action::set, base::Secret("words-of-shop")}});
        config.build.environment = {{"MIRROR", "https://mirror.example"}};
        config.build.free_space = 0;
    }
    builder::Job job(const std::string& ref, const builder::BuildOptions& options = {}) {
        apps::Build row;
        row.id = apps::new_build_id();
        row.app = "shop";
        row.ref = ref;
        write_options(options, &keys, row);
        const builder::RemoteCommit source{.url = "https://git.example.com/a/b.git",
                                           .commit = std::string(40, 'c')};
        auto made = make_job({config, state, *store, variables, registry, {}, {}}, row, source);
        apply_options(read_options(row, &keys), made);
        return made;
    }

    base::TempDir directory{"jobs"};
    Config config;
    StateDirectory state{directory.path() / "state", own_user(), 0};
    std::unique_ptr<apps::Store> store = apps::open_sqlite_store(state.database());
    base::KeyRing keys = base::KeyRing::open(state.secret_keys());
    ConfigVars variables{*store, keys};
    Registry registry{.host = "127.0.0.1:1"};
};

} // namespace

TEST_CASE("a branch's build is given the app's variables and cache, its image is the latest") {
    JobSite site;
    const auto job = site.job("refs/heads/main");
    CHECK(job.environment.at("KEY") == "words-of-shop");
    CHECK(job.environment.at("MIRROR") == "https://mirror.example");
    CHECK(job.cache_directory == site.state.caches() / "shop");
    CHECK(std::get<builder::RegistryTarget>(job.target).tag == "latest");
}

TEST_CASE("a proposal of the own repository is given the variables, and no cache to write into") {
    JobSite site;
    for (const char* ref : {"refs/pull/7/head", "refs/merge-requests/7/head"}) {
        const auto job = site.job(ref);
        CHECK(job.environment.at("KEY") == "words-of-shop");
        CHECK(job.cache_directory.empty());
        CHECK(std::get<builder::RegistryTarget>(job.target).tag == "pull-7");
    }
}

TEST_CASE("a fork's proposal is given neither the app's variables nor its cache") {
    JobSite site;
    const auto job = site.job("refs/pull/7/head", {.of_stranger = true});
    CHECK_FALSE(job.environment.contains("KEY"));
    CHECK(job.environment.at("MIRROR") == "https://mirror.example"); // the operator's, for all
    CHECK(job.cache_directory.empty());
    CHECK(job.render().find("words-of-shop") == std::string::npos);
}

TEST_CASE("a build says what it was made from where somebody signs for that") {
    JobSite site;
    CHECK(site.job("refs/heads/main").materials);
    site.config.registry.proof = "no";
    CHECK_FALSE(site.job("refs/heads/main").materials);
}
