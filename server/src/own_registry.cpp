#include "own_registry.h"

#include "http_listeners.h"

#include "base/crypto.h"
#include "base/error.h"
#include "base/fd.h"
#include "base/log.h"

#include "http/url.h"

namespace server {
namespace {

constexpr std::string_view token_path = "/registry/token";

SystemUser user_of(const Config& config) {
    return choose_user("", config.registry.system_user, "registry.system_user");
}

// What people write before "/acme/web".
std::string name_for_people(const Config& config, const std::string& http_url, std::uint16_t port) {
    if (!config.registry.public_host.empty()) return config.registry.public_host;
    return Address{http::parse_url(http_url).host, port}.render();
}

} // namespace

OwnRegistry::OwnRegistry(const Config& config, const StateDirectory& state,
                         const std::string& http_url)
    : password_file_(state.registry() / "password"), secret_(base::random_token(32)),
      token_listener_(listen_on({parse_address(config.registry.listen).host, 0})) {
    local_.emplace(state, local_settings(config));
    base::replace_file(password_file_, tokens_.own_password().reveal() + "\n", 0600);
    if (config.registry.public_listen.empty()) return;
    public_.emplace(state, public_settings(config, http_url));
    public_host_ = name_for_people(config, http_url, public_->address().port);
    if (!choose_tls(config) && !is_loopback(public_->address().host))
        base::log::warning("images travel in plain text unless a proxy before the registry speaks "
                           "TLS",
                           {{"registry.public_listen", public_->address().render()}});
}

RegistrySettings OwnRegistry::local_settings(const Config& config) const {
    RegistrySettings settings;
    settings.listen = parse_address(config.registry.listen);
    settings.user = user_of(config);
    // One host with the registry: our client tells a password to no other one.
    settings.realm = "http://" + token_listener_.address.render() + std::string(token_path);
    settings.token_certificate = tokens_.certificate();
    settings.secret = secret_;
    return settings;
}

RegistrySettings OwnRegistry::public_settings(const Config& config,
                                              const std::string& http_url) const {
    auto settings = local_settings(config);
    settings.name = "registry-public";
    settings.listen = parse_address(config.registry.public_listen);
    settings.realm = http_url + std::string(token_path);
    settings.tls = choose_tls(config);
    return settings;
}

Registry OwnRegistry::describe() const {
    Registry registry;
    registry.host = local_->address().render();
    registry.insecure = {registry.host};
    registry.user = RegistryTokens::own_user;
    registry.password_file = password_file_;
    registry.public_host = public_host_;
    registry.tokens = &tokens_;
    return registry;
}

void OwnRegistry::read_only_during(const std::function<void()>& work, const base::Stop& stop) {
    try {
        for (auto* child : {&local_, &public_})
            if (*child) (*child)->set_read_only(true, stop);
        work();
    } catch (...) {
        take_writes_again();
        throw;
    }
    take_writes_again();
}

// One that does not answer now is started again and again, and takes writes then.
void OwnRegistry::take_writes_again() {
    for (auto* child : {&local_, &public_}) {
        try {
            if (*child) (*child)->set_read_only(false, {});
        } catch (const base::Error& error) {
            base::log::error("the registry does not take images again yet",
                             {{"reason", error.describe()}});
        }
    }
}

} // namespace server
