// Which handler answers a method and a path. Filled before the server starts, then read by any
// thread.
#pragma once

#include "http/server.h"

#include <string>
#include <vector>

namespace http {

struct Route {
    std::string method;  // "GET" (answers HEAD too), "POST", ...
    std::string pattern; // "/v1/apps/{app}/builds/{build}"; {part} is one segment
};

class Router {
  public:
    // Throws Error{internal} for two handlers of one route.
    void add(std::string method, std::string pattern, Handler handler);
    // Throws Error{not_found} for a path that no route has, MethodNotAllowed for another method.
    void answer(Exchange& exchange, const base::Stop& stop) const;
    const std::vector<Route>& routes() const noexcept { return routes_; }

  private:
    std::vector<Route> routes_;
    std::vector<Handler> handlers_;
};

class MethodNotAllowed : public base::Error {
  public:
    explicit MethodNotAllowed(std::string allowed_methods); // "GET, POST"
    const std::string& allowed() const noexcept { return allowed_; }

  private:
    std::string allowed_;
};

} // namespace http
