// Debian's docker-registry behind a token server and behind htpasswd: everything that a push and a
// pull need, and what somebody without the right gets.
#include "registry/repository.h"

#include "blob_store_contract.h"
#include "registry_process.h"
#include "skip.h"
#include "token_server.h"

#include "base/process.h"

#include <catch2/catch.hpp>

using namespace std::chrono_literals;

namespace {

registry::Settings as_me(const std::string& host) {
    registry::Settings settings;
    settings.first_backoff = 1ms;
    settings.credentials[host] = {"me", base::Secret("pass")};
    return settings;
}

struct TokenSite {
    TestAuthority authority;
    TokenServer tokens{authority};
    RegistryProcess registry{{.auth = authority.token_auth(tokens.realm())}};
};

TokenSite& token_site() {
    static TokenSite site;
    return site;
}

std::string fresh_name() {
    static int count = 0;
    return "team/app-" + std::to_string(++count);
}

bool lacks_parts() {
    return is_missing("docker-registry") || is_missing("openssl");
}

// Files of bytes that uploads to this repository left behind.
int uploads_left(const RegistryProcess& registry, const std::string& name) {
    const auto path = registry.data() / "docker/registry/v2/repositories" / name / "_uploads";
    int left = 0;
    for (const auto& entry : std::filesystem::recursive_directory_iterator(path))
        left += entry.path().filename() == "data";
    return left;
}

} // namespace

TEST_CASE("behind a token server a repository keeps the contract of a blob store") {
    if (lacks_parts()) return;
    auto& site = token_site();
    const auto name = fresh_name();
    const auto settings = as_me(site.registry.host());
    const auto writer = registry::open_repository(site.registry.host(), name, settings);
    const auto reader = registry::open_repository(site.registry.host(), name, settings);
    contract::check_blob_store(*writer, *reader);
}

TEST_CASE("a mount asks for both repositories in one token") {
    if (lacks_parts()) return;
    auto& site = token_site();
    const auto& host = site.registry.host();
    const base::TempDir directory("mount");
    const auto blob = contract::make_blob(directory, "shared by two");
    const auto from = fresh_name(), to = fresh_name();
    registry::open_repository(host, from, as_me(host))->write_blob(blob, {});
    const auto store = registry::open_repository(host, to, as_me(host));
    CHECK(store->mount_blob(blob.descriptor, from, {}));
    CHECK(store->find_missing({blob.descriptor}, {}).empty());
    // No right to the other one: no mount, and no failure.
    CHECK_FALSE(store->mount_blob(contract::make_blob(directory, "of others").descriptor,
                                  "others/app", {}));
}

TEST_CASE("nobody but its members pushes to a repository, with an error that says so") {
    if (lacks_parts()) return;
    auto& site = token_site();
    const auto& host = site.registry.host();
    const base::TempDir directory("refused");
    const auto blob = contract::make_blob(directory, "of a stranger");
    auto wrong = as_me(host);
    wrong.credentials[host].password = base::Secret("guessed");
    for (const auto& [name, settings] : {std::pair{std::string("others/app"), as_me(host)},
                                         {fresh_name(), wrong},
                                         {fresh_name(), registry::Settings{}}}) {
        INFO(name);
        const auto store = registry::open_repository(host, name, settings);
        CHECK(kind_of([&] { store->write_blob(blob, {}); }) == base::ErrorKind::unauthenticated);
        CHECK(kind_of([&] { store->read_manifest("latest", {}); }) ==
              base::ErrorKind::unauthenticated);
    }
}

TEST_CASE("a push goes on with a new token when its own runs out on the way") {
    if (lacks_parts()) return;
    // docker-registry takes a token for 60 s longer than it says: the first one is good for two.
    const auto first_lifetime = -58s;
    const TestAuthority authority;
    TokenServer tokens(authority, [&](int n) { return n == 1 ? first_lifetime : 300s; });
    const RegistryProcess process({.auth = authority.token_auth(tokens.realm())});
    const auto store =
        registry::open_repository(process.host(), "team/long", as_me(process.host()));
    std::string bytes(17'000'000, 'p');
    for (std::size_t i = 0; i < bytes.size(); i += 11) bytes[i] = static_cast<char>(i / 11);
    const auto done = store->stream_blob(
        [&](const image::ByteSink& sink) {
            sink(std::string_view(bytes).substr(0, 11'000'000));
            base::Stop().wait(61s + first_lifetime); // a build that takes its time
            sink(std::string_view(bytes).substr(11'000'000));
        },
        {});
    CHECK(done.digest == image::Digest::of(bytes));
    CHECK(tokens.requests().size() == 2);
    CHECK(store->find_missing({{"", done.digest, done.size}}, {}).empty());
}

TEST_CASE("an upload that is given up is forgotten by the registry, which wants a right for that") {
    if (lacks_parts()) return;
    auto& site = token_site();
    const auto name = fresh_name();
    const auto store =
        registry::open_repository(site.registry.host(), name, as_me(site.registry.host()));
    const std::string bytes(22'000'000, 'g');
    int before = 0;
    CHECK_THROWS_WITH(store->stream_blob(
                          [&](const image::ByteSink& sink) {
                              sink(bytes);
                              before = uploads_left(site.registry, name);
                              throw std::runtime_error("the tree is gone");
                          },
                          {}),
                      "the tree is gone");
    CHECK(before == 1);
    CHECK(uploads_left(site.registry, name) == 0);
}

TEST_CASE("behind htpasswd a repository keeps the contract of a blob store") {
    if (is_missing("docker-registry") || is_missing("htpasswd")) return;
    static const base::TempDir directory("htpasswd");
    static const RegistryProcess process = [] {
        const auto made = base::run({.argv = {"htpasswd", "-Bbn", "me", "pass"},
                                     .environment = base::minimal_environment()},
                                    {});
        base::write_file(directory.path() / "users", made.output);
        return RegistryProcess({.auth = "htpasswd: {realm: test, path: " +
                                        (directory.path() / "users").string() + "}"});
    }();
    const auto name = fresh_name();
    const auto writer = registry::open_repository(process.host(), name, as_me(process.host()));
    const auto reader = registry::open_repository(process.host(), name, as_me(process.host()));
    contract::check_blob_store(*writer, *reader);
    auto wrong = as_me(process.host());
    wrong.credentials[process.host()].password = base::Secret("guessed");
    CHECK(kind_of([&] {
              registry::open_repository(process.host(), name, wrong)->read_manifest("v1", {});
          }) == base::ErrorKind::unauthenticated);
}
