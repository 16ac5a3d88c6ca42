// One registry for somebody who goes to many of its repositories: they share its connections, which
// are kept alive, and the login. Thread-safe; repositories may outlive it.
#pragma once

#include "registry/repository.h"

#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace registry {

class Session;

// Of a registry whose token service we are: a bearer token for these scopes ("repository:a:pull"),
// good for at least a minute, so that nobody has to be asked for it. Any thread.
using MakeToken = std::function<std::string(const std::vector<std::string>& scopes)>;

class Host {
  public:
    Host(const std::string& registry, Settings settings, MakeToken make_token = {});
    // Throws Error{invalid_input} for what is no repository's name.
    std::unique_ptr<image::BlobStore> open(const std::string& repository) const;

  private:
    std::string registry_;
    std::shared_ptr<Session> session_;
};

} // namespace registry
