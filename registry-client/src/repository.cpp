#include "registry/host.h"

#include "remote_repository.h"

#include "image/reference.h"

namespace registry {

RemoteRepository::RemoteRepository(std::shared_ptr<Session> session, std::string repository)
    : shared_(std::move(session)), session_(*shared_),
      name_(std::move(repository)), pull_{"repository:" + name_ + ":pull"},
      push_{"repository:" + name_ + ":pull,push"}, delete_{"repository:" + name_ +
                                                           ":pull,push,delete"} {}

Host::Host(const std::string& registry, Settings settings, MakeToken make_token)
    // The reference refuses what is no host.
    : registry_(image::Reference::parse(registry + "/a/b").registry),
      session_(std::make_shared<Session>(registry_, std::move(settings), std::move(make_token))) {}

std::unique_ptr<image::BlobStore> Host::open(const std::string& repository) const {
    const auto name = image::Reference::parse(registry_ + "/" + repository); // refuses the rest
    return std::make_unique<RemoteRepository>(session_, name.repository);
}

std::unique_ptr<image::BlobStore> open_repository(std::string registry, std::string repository,
                                                  Settings settings) {
    return Host(registry, std::move(settings)).open(repository);
}

} // namespace registry
