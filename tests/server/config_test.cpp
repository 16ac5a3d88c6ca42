#include "server/config.h"

#include "http_listeners.h"

#include "base/error.h"
#include "base/fd.h"
#include "base/temp_dir.h"

#include <catch2/catch.hpp>

#include <map>

using Catch::Matchers::Contains;

namespace {

using Variables = std::map<std::string, std::string>;

server::Environment from(const Variables& variables) {
    return [&variables](const char* name) -> const char* {
        const auto it = variables.find(name);
        return it == variables.end() ? nullptr : it->second.c_str();
    };
}

server::Config load(const std::string& text, const Variables& variables = {}) {
    const base::TempDir directory("config");
    const auto file = directory.path() / "slipway.toml";
    base::write_file(file, text);
    return server::load_config(file, from(variables));
}

base::Error refused(const std::string& text, const Variables& variables = {}) {
    try {
        load(text, variables);
    } catch (const base::Error& error) {
        return error;
    }
    FAIL("the configuration was taken");
    throw;
}

} // namespace

TEST_CASE("without a file every key has its default") {
    const auto config = server::load_config(std::nullopt, from({}));
    CHECK(config.ssh.listen == "127.0.0.1:2222");
    CHECK(config.sandbox.memory == 4ull << 30);
    CHECK(config.git.branches == std::vector<std::string>{"main", "master"});
}

TEST_CASE("a file sets keys in sections, dotted and in the environment table") {
    const auto config = load("state = \"/srv/slipway\"\nssh.listen = \"[::]:22\"\n"
                             "[sandbox]\nmemory = \"512M\"\ntime = \"90s\"\ncpus = 1.5\n"
                             "[git]\nbranches = [\"main\", \"production\"]\n"
                             "[build]\nworkers = 3\nca_certificates = \"ca.pem\"\n"
                             "environment.NPM_CONFIG_REGISTRY = \"https://npm.test/a b\"\n");
    CHECK(config.state == "/srv/slipway");
    CHECK(config.ssh.listen == "[::]:22");
    CHECK(config.sandbox.memory == 512ull << 20);
    CHECK(config.sandbox.time == std::chrono::seconds(90));
    CHECK(config.sandbox.cpus == Approx(1.5));
    CHECK(config.git.branches == std::vector<std::string>{"main", "production"});
    CHECK(config.build.workers == 3);
    CHECK(config.build.environment.at("NPM_CONFIG_REGISTRY") == "https://npm.test/a b");
    CHECK(config.build.ca_certificates.is_absolute()); // beside the file, wherever we are started
}

TEST_CASE("the environment wins over the file") {
    const auto config =
        load("[ssh]\nlisten = \"127.0.0.1:1\"\n", {{"SLIPWAY_SSH_LISTEN", "127.0.0.1:2"},
                                                   {"SLIPWAY_GIT_BRANCHES", "a, b"},
                                                   {"SLIPWAY_BUILD_ENVIRONMENT", "A=1 B=2=3"}});
    CHECK(config.ssh.listen == "127.0.0.1:2");
    CHECK(config.git.branches == std::vector<std::string>{"a", "b"});
    CHECK(config.build.environment == std::map<std::string, std::string>{{"A", "1"}, {"B", "2=3"}});
}

TEST_CASE("an unknown key is refused with its file, its line and the nearest key") {
    const auto error = refused("[ssh]\nuser = \"git\"\nlisen = \"127.0.0.1:1\"\n");
    CHECK(error.kind() == base::ErrorKind::invalid_input);
    CHECK_THAT(error.message(), Contains("slipway.toml:3: unknown key ssh.lisen"));
    CHECK_THAT(error.hint(), Contains("Did you mean ssh.listen?"));
    CHECK_THAT(refused("\n[nothing]\na = 1\n").message(),
               Contains("slipway.toml:2: unknown key nothing"));
}

TEST_CASE("a wrong value is refused with its line and what was expected") {
    CHECK_THAT(refused("[sandbox]\nmemory = \"lots\"\n").message(),
               Contains("slipway.toml:2: sandbox.memory: expected a size"));
    CHECK_THAT(refused("[build]\nworkers = 0\n").message(), Contains("at least 1"));
    CHECK_THAT(refused("[build]\nworkers = [1, 2]\n").message(), Contains("slipway.toml:2"));
    CHECK_THAT(refused("[sandbox]\nnetwork = \"host\"\n").message(), Contains("internet or none"));
    CHECK_THAT(refused("[sandbox]\nmemory = -1\n").message(), Contains("expected a size"));
    CHECK_THAT(refused("", {{"SLIPWAY_SANDBOX_TIME", "soon"}}).message(),
               Contains("SLIPWAY_SANDBOX_TIME: expected a duration"));
    CHECK_THAT(refused("[ssh]\nlisten = \"2222\"\n").message(), Contains("an address and a port"));
    CHECK_THAT(refused("[registry]\nurl = \"https://r.test\"\n").message(), Contains("scheme"));
}

TEST_CASE("a file that is not TOML is refused with its line") {
    CHECK_THAT(refused("a = 1\nb = [\n").message(), Contains("slipway.toml:"));
}

TEST_CASE("a trusted proxy is an address or a network") {
    const auto config = load("http.trusted_proxies = [\"10.0.0.0/8\", \"::1\"]\n");
    CHECK(config.http.trusted_proxies == std::vector<std::string>{"10.0.0.0/8", "::1"});
    for (const char* wrong : {"10.0.0.0/33", "proxy.example.com", "10.0.0.0/", "::1/129"})
        CHECK_THAT(refused("http.trusted_proxies = [\"" + std::string(wrong) + "\"]\n").message(),
                   Contains(wrong));
    CHECK_THAT(refused("http.proxy_header = \"X-Real-IP\"\n").message(), Contains("X-Real-IP"));
}

TEST_CASE("the least rate of a request is the operator's to set, in bytes a second") {
    CHECK(server::http_limits(load("")).least_body_rate == 1024);
    CHECK(server::http_limits(load("http.least_rate = \"64K\"\n")).least_body_rate == 64u << 10);
    CHECK_THAT(refused("http.least_rate = 0\n").message(), Contains("stay for ever"));
}

TEST_CASE("docs/configuration.md has a line for each key, as it is") {
    const auto text = base::read_file(SLIPWAY_SOURCE_DIR "/docs/configuration.md");
    std::size_t documented = 0;
    for (std::size_t at = 0; (at = text.find("\n| `", at)) != std::string::npos; ++at) ++documented;
    for (const auto& key : server::config_keys()) CHECK_THAT(text, Contains(server::document(key)));
    CHECK(documented == server::config_keys().size());
}

TEST_CASE("a database's password is not taken from where it would be shown") {
    CHECK(load("database.url = \"postgresql://ann@host:5432/slipway\"").database.url ==
          "postgresql://ann@host:5432/slipway");
    for (const char* url : {"postgresql://ann:secret@host/slipway", "host=h password=secret"}) {
        const auto error = refused("database.url = \"" + std::string(url) + "\"");
        CHECK(error.kind() == base::ErrorKind::invalid_input);
        CHECK_THAT(error.hint(), Contains("database.password_file"));
        CHECK_THAT(error.message(), !Contains("secret"));
    }
}

TEST_CASE("the own registry is for this machine, and for others where they can fetch its tokens") {
    CHECK_NOTHROW(load("registry.listen = \"[::1]:5000\"\n"));
    CHECK_THAT(refused("registry.listen = \"0.0.0.0:5000\"\n").hint(),
               Contains("registry.public_listen"));
    CHECK_NOTHROW(load("registry.url = \"r.test\"\nregistry.listen = \"0.0.0.0:5000\"\n"));
    const std::string open = "registry.public_listen = \"0.0.0.0:5000\"\n";
    CHECK_THAT(refused(open).hint(), Contains("http.url"));
    CHECK_THAT(refused(open + "http.listen = \"\"\n").describe(), Contains("http.listen"));
    CHECK_NOTHROW(load(open + "http.url = \"https://builds.test\"\n"));
    CHECK_NOTHROW(load(open + "http.listen = \"0.0.0.0:80\"\n"));
}
