#include "registry/repository.h"

#include "remote_repository.h"

#include "image/reference.h"

namespace registry {

RemoteRepository::RemoteRepository(const std::string& registry, std::string repository,
                                   Settings settings)
    : session_(registry, std::move(settings)),
      name_(std::move(repository)), pull_{"repository:" + name_ + ":pull"},
      push_{"repository:" + name_ + ":pull,push"}, delete_{"repository:" + name_ +
                                                           ":pull,push,delete"} {}

std::unique_ptr<image::BlobStore> open_repository(std::string registry, std::string repository,
                                                  Settings settings) {
    const auto name = image::Reference::parse(registry + "/" + repository); // refuses the rest
    return std::make_unique<RemoteRepository>(name.registry, name.repository, std::move(settings));
}

} // namespace registry
