#include "http_listeners.h"

#include "api/rebase.h"

#include "apps/store.h"

#include "base/error.h"
#include "base/log.h"
#include "base/task_group.h"

#include <unistd.h>

namespace server {
namespace {

std::string own_name() {
    char name[256] = {};
    return ::gethostname(name, sizeof name - 1) == 0 && name[0] ? name : "localhost";
}

} // namespace

std::optional<http::ServerTls> choose_tls(const Config& config) {
    if (config.http.tls_certificate.empty()) return std::nullopt;
    return http::ServerTls{config.http.tls_certificate.string(), config.http.tls_key.string()};
}

HttpSockets open_http_sockets(const Config& config) {
    HttpSockets sockets;
    if (!config.http.listen.empty()) sockets.web = listen_on(parse_address(config.http.listen));
    if (!config.metrics.listen.empty())
        sockets.metrics = listen_on(parse_address(config.metrics.listen));
    return sockets;
}

std::string public_url(const Config& config, const std::optional<Listener>& web) {
    if (!config.http.url.empty() || !web) return config.http.url;
    auto address = web->address;
    if (is_everywhere(address.host)) address.host = own_name();
    return (config.http.tls_certificate.empty() ? "http://" : "https://") + address.render();
}

http::ServerLimits http_limits(const Config& config) {
    http::ServerLimits limits;
    limits.connections = config.http.max_connections;
    limits.connections_of_one_address = config.http.max_per_address;
    limits.least_body_rate = config.http.least_rate;
    return limits;
}

http::TrustedProxies trusted_proxies(const Config& config) {
    return {http::AddressRanges(config.http.trusted_proxies),
            config.http.proxy_header == "Forwarded" ? http::ProxyHeader::forwarded
                                                    : http::ProxyHeader::x_forwarded_for};
}

HttpListeners::HttpListeners(const Config& config, api::Api& api, Rebases& rebases,
                             HttpSockets sockets, base::UniqueFd local)
    : config_(config), api_(api) {
    api::add_routes(routes_, api_);
    api::add_rebase_routes(routes_, api_, rebases);
    api_.add(metrics_routes_, api::Access::open, "GET", "/metrics", [this](api::Call& call) {
        call.send({200,
                   {{"Content-Type", "text/plain; version=0.0.4; charset=utf-8"}},
                   api_.metrics().render(look())});
    });
    add(std::move(local), routes_, std::nullopt);
    if (sockets.web) {
        const auto tls = choose_tls(config);
        if (!tls && !is_loopback(sockets.web->address.host))
            base::log::warning("tokens travel in plain text unless a proxy before us speaks TLS",
                               {{"http.listen", sockets.web->address.render()}});
        add(std::move(sockets.web->fd), routes_, tls);
    }
    if (sockets.registry_tokens) {
        api::add_registry_routes(token_routes_, api_);
        add(std::move(sockets.registry_tokens->fd), token_routes_, std::nullopt);
    }
    if (sockets.metrics) add(std::move(sockets.metrics->fd), metrics_routes_, std::nullopt);
}

void HttpListeners::add(base::UniqueFd listener, const http::Router& router,
                        std::optional<http::ServerTls> tls) {
    http::Server::Settings settings;
    settings.limits = http_limits(config_);
    settings.tls = std::move(tls);
    settings.proxies = trusted_proxies(config_);
    settings.handler = [this, &router](http::Exchange& exchange, const base::Stop& stop) {
        api_.answer(router, exchange, stop);
    };
    settings.on_error = [this](const base::Error& error, const http::RequestHead& head) {
        return api_.render_failure(error, head);
    };
    servers_.push_back(std::make_unique<http::Server>(std::move(listener), std::move(settings)));
}

api::Metrics::Now HttpListeners::look() const {
    api::Metrics::Now now;
    for (const auto& server : servers_) now.connections += server->connections();
    now.followers = api_.logs().readers();
    const auto& site = api_.site();
    now.free_bytes = free_space(site.state.root());
    now.version = site.version;
    try {
        for (const auto& [state, count] : site.store.builds().count_by_state())
            now.builds.emplace_back(apps::to_string(state), count);
    } catch (const base::Error&) {
        // The other numbers are wanted most just then.
    }
    now.store_errors = site.store.database().faults();
    return now;
}

void HttpListeners::run(const base::Stop& stop, const base::Stop& end) {
    base::TaskGroup threads;
    for (const auto& server : servers_)
        threads.start([&server, &stop, &end](const base::Stop&) { server->run(stop, end); });
    threads.join();
}

} // namespace server
