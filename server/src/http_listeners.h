// Where the HTTP API listens: http.listen, the local socket, and metrics.listen beside them. The
// server's main owns it.
#pragma once

#include "api/api.h"
#include "tcp.h"

#include "base/fd.h"
#include "base/stop.h"
#include "http/router.h"
#include "http/server.h"

#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace server {

// Bound before the rest starts: links name the real port.
struct HttpSockets {
    std::optional<Listener> web;
    std::optional<Listener> metrics;
    std::optional<Listener> registry_tokens; // on loopback, for the registry that we run
};
HttpSockets open_http_sockets(const Config& config);
// http.url, or what can be told from the listener; empty when nothing listens.
std::string public_url(const Config& config, const std::optional<Listener>& web);
std::optional<http::ServerTls> choose_tls(const Config& config);
http::ServerLimits http_limits(const Config& config);
http::TrustedProxies trusted_proxies(const Config& config);

class Rebases;

class HttpListeners {
  public:
    // local: a bound and listening local socket.
    HttpListeners(const Config& config, api::Api& api, Rebases& rebases, HttpSockets sockets,
                  base::UniqueFd local);

    // Accepts until `stop`; then lets answers end until `end`, and closes the rest.
    void run(const base::Stop& stop, const base::Stop& end);

  private:
    void add(base::UniqueFd listener, const http::Router& router,
             std::optional<http::ServerTls> tls);
    api::Metrics::Now look() const;

    const Config& config_;
    api::Api& api_;
    http::Router routes_;
    http::Router metrics_routes_;
    http::Router token_routes_;
    std::vector<std::unique_ptr<http::Server>> servers_; // the metrics' own is the last one
};

} // namespace server
