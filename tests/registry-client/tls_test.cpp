// TLS of registries: an authority of one's own, client certificates, and plain HTTP by name alone.
#include "registry/repository.h"

#include "http/address.h"

#include "blob_store_contract.h"
#include "fake_server.h"
#include "nginx_process.h"
#include "registry_process.h"
#include "skip.h"
#include "test_authority.h"

#include <catch2/catch.hpp>
#include <unistd.h>

using namespace std::chrono_literals;

namespace {

// TLS is spoken to names and to addresses of the network, not to those of the loopback: this
// machine's own name.
const std::string& own_name() {
    static const std::string name = [] {
        char text[256] = "";
        ::gethostname(text, sizeof text - 1);
        return std::string(text);
    }();
    return name;
}

// Where it leads; empty: nowhere.
const std::string& own_address() {
    static const std::string address = [] {
        try {
            for (const auto& one : http::addresses_of(own_name()))
                if (one.find(':') == one.npos) return one;
        } catch (const base::Error&) { // the skip says it
        }
        return std::string();
    }();
    return address;
}

TestAuthority& authority() {
    static TestAuthority one;
    static const bool once = [] {
        one.sign("server", "subjectAltName=DNS:" + own_name());
        one.sign("client", "extendedKeyUsage=clientAuth");
        return true;
    }();
    (void)once;
    return one;
}

registry::Settings trusting(const TestAuthority& whom) {
    registry::Settings settings;
    settings.ca_file = whom.certificate();
    settings.attempts = 2;
    settings.stall_timeout = 10s;
    settings.first_backoff = 1ms;
    return settings;
}

registry::Settings with_certificate(const std::string& host) {
    auto settings = trusting(authority());
    settings.credentials[host] = {
        .user = "",
        .certificate = base::read_file(authority().path("client.pem")),
        .key = base::Secret(base::read_file(authority().path("client.key")))};
    return settings;
}

std::string server_tls() {
    return "certificate: " + authority().path("server.pem") +
           ", key: " + authority().path("server.key");
}

std::string fresh_repository() {
    static int count = 0;
    return "team/tls-" + std::to_string(++count);
}

bool lacks_parts() {
    return is_missing("docker-registry") || is_missing("openssl") || is_missing("nginx") ||
           must_skip(own_address().empty(), "this machine does not know its own name");
}

// The error of asking for a tag that is not there; fails when there is none.
base::ErrorKind kind_of_asking(const std::string& host, const registry::Settings& settings) {
    return kind_of(
        [&] { registry::open_repository(host, "team/asked", settings)->read_manifest("v1", {}); });
}

} // namespace

TEST_CASE("with an authority of its own a registry keeps the contract of a blob store") {
    if (lacks_parts()) return;
    static const RegistryProcess process({.tls = server_tls(), .address = own_address()});
    const auto host = own_name() + ":" + process.port();
    const auto repository = fresh_repository();
    const auto writer = registry::open_repository(host, repository, trusting(authority()));
    const auto reader = registry::open_repository(host, repository, trusting(authority()));
    contract::check_blob_store(*writer, *reader);
    static const TestAuthority stranger;
    CHECK(kind_of_asking(host, trusting(stranger)) == base::ErrorKind::denied);
    CHECK(kind_of_asking(host, {.attempts = 1}) == base::ErrorKind::denied);
}

TEST_CASE("a registry that wants a client certificate gets ours, and a stranger's is refused") {
    if (lacks_parts()) return;
    static const RegistryProcess process(
        {.tls = server_tls() + ", clientcas: [" + authority().certificate() + "]",
         .address = own_address()});
    const auto host = own_name() + ":" + process.port();
    const auto store = registry::open_repository(host, fresh_repository(), with_certificate(host));
    const auto made = contract::push_small_image(*store, "v1");
    CHECK(store->read_manifest("v1", {})->digest == made.digest());
    CHECK(kind_of_asking(host, trusting(authority())) == base::ErrorKind::denied);

    static TestAuthority stranger;
    stranger.sign("client", "extendedKeyUsage=clientAuth");
    auto strange = with_certificate(host);
    strange.credentials[host].certificate = base::read_file(stranger.path("client.pem"));
    CHECK(kind_of_asking(host, strange) == base::ErrorKind::invalid_input); // not its key
    strange.credentials[host].key = base::Secret(base::read_file(stranger.path("client.key")));
    CHECK(kind_of_asking(host, strange) == base::ErrorKind::denied);
}

TEST_CASE("behind nginx that wants a client certificate and hides TLS from the registry") {
    if (lacks_parts()) return;
    static const RegistryProcess process;
    static const NginxProcess front(own_address(),
                                    "ssl_certificate " + authority().path("server.pem") +
                                        "; ssl_certificate_key " + authority().path("server.key") +
                                        "; ssl_client_certificate " + authority().certificate() +
                                        "; ssl_verify_client on; client_max_body_size 0;"
                                        " location / { proxy_pass http://" +
                                        process.host() +
                                        "; proxy_set_header Host $http_host;"
                                        " proxy_request_buffering off; }");
    const auto host = own_name() + ":" + std::to_string(front.port());
    const auto repository = fresh_repository();
    const auto writer = registry::open_repository(host, repository, with_certificate(host));
    const auto reader = registry::open_repository(host, repository, with_certificate(host));
    contract::check_blob_store(*writer, *reader);
    // nginx tells strangers by a status.
    CHECK(kind_of_asking(host, trusting(authority())) == base::ErrorKind::invalid_input);
}

TEST_CASE("a client certificate is shown to its registry alone") {
    if (lacks_parts()) return;
    // Says whether it saw one, in a header of its refusal.
    const NginxProcess elsewhere(own_address(),
                                 "ssl_certificate " + authority().path("server.pem") +
                                     "; ssl_certificate_key " + authority().path("server.key") +
                                     "; ssl_client_certificate " + authority().certificate() +
                                     "; ssl_verify_client optional;"
                                     " location / { return 403 \"seen: $ssl_client_verify\"; }");
    const auto there = "https://" + own_name() + ":" + std::to_string(elsewhere.port());
    const NginxProcess front(own_address(),
                             "ssl_certificate " + authority().path("server.pem") +
                                 "; ssl_certificate_key " + authority().path("server.key") +
                                 "; ssl_client_certificate " + authority().certificate() +
                                 "; ssl_verify_client on; location / { return 307 " + there +
                                 "$request_uri; }");
    const auto host = own_name() + ":" + std::to_string(front.port());
    const auto store = registry::open_repository(host, "team/asked", with_certificate(host));
    CHECK_THROWS_WITH(store->read_manifest("v1", {}), Catch::Contains("seen: NONE"));
    const auto direct = own_name() + ":" + std::to_string(elsewhere.port());
    CHECK_THROWS_WITH(registry::open_repository(direct, "team/asked", with_certificate(direct))
                          ->read_manifest("v1", {}),
                      Catch::Contains("seen: SUCCESS"));
}

TEST_CASE("plain HTTP is spoken only to registries that are named for it") {
    if (lacks_parts()) return;
    FakeServer plain(
        [](const FakeServer::Request& request) {
            return request.header("authorization").empty()
                       ? FakeServer::answer(401, {"WWW-Authenticate: Basic realm=\"x\""})
                       : FakeServer::answer(404);
        },
        own_address());
    const auto host = own_name() + plain.host().substr(plain.host().find(':'));
    registry::Settings settings{.attempts = 1, .stall_timeout = 5s};
    settings.credentials[host] = {"me", base::Secret("pass")};
    CHECK_THROWS_AS(registry::open_repository(host, "app", settings)->read_manifest("v1", {}),
                    base::Error);
    CHECK(plain.requests().empty()); // a handshake that it does not understand
    settings.insecure = {"localhost", own_name(), host + "0"}; // others
    CHECK_THROWS_AS(registry::open_repository(host, "app", settings)->read_manifest("v1", {}),
                    base::Error);
    CHECK(plain.requests().empty());
    settings.insecure.push_back(host);
    CHECK_FALSE(registry::open_repository(host, "app", settings)->read_manifest("v1", {}));
}

TEST_CASE("a registry behind TLS leads nobody to plain HTTP or into a private network") {
    if (lacks_parts()) return;
    FakeServer inside([](const auto&) { return FakeServer::answer(200, {}, "secret"); });
    const auto leads_to = [&](const std::string& answer) {
        const NginxProcess front(own_address(),
                                 "ssl_certificate " + authority().path("server.pem") +
                                     "; ssl_certificate_key " + authority().path("server.key") +
                                     "; location / { " + answer + " }");
        const auto host = own_name() + ":" + std::to_string(front.port());
        auto settings = trusting(authority());
        settings.credentials[host] = {"me", base::Secret("pass")};
        return kind_of_asking(host, settings);
    };
    const auto port = inside.host().substr(inside.host().find(':'));
    for (const auto& place : {inside.url(), "http://other.example" + port + "/"}) {
        INFO(place);
        CHECK(leads_to("return 307 " + place + ";") == base::ErrorKind::denied);
        CHECK(leads_to("add_header WWW-Authenticate 'Bearer realm=\"" + place +
                       "\"' always; return 401;") == base::ErrorKind::denied);
    }
    for (const char* place : {"https://127.0.0.2/", "https://169.254.169.254/", "https://[::1]/",
                              "https://10.0.0.1/", "https://[::ffff:10.0.0.1]/"}) {
        INFO(place);
        CHECK(leads_to("return 307 " + std::string(place) + ";") == base::ErrorKind::denied);
        CHECK(leads_to("add_header WWW-Authenticate 'Bearer realm=\"" + std::string(place) +
                       "\"' always; return 401;") == base::ErrorKind::denied);
    }
    CHECK(inside.requests().empty());
}
