#include "images.h"

#include "image/blob_store.h"
#include "image/reference.h"

#include "base/error.h"
#include "base/fd.h"

#include <nlohmann/json.hpp>

namespace cli {

registry::Settings registry_settings(const base::json::Value& server_info,
                                     const std::string& registry) {
    registry::Settings settings;
    settings.insecure = base::json::get_strings(server_info, "registry_insecure");
    settings.credentials = registry::read_docker_credentials(registry);
    const bool ours = base::json::find_string(server_info, "registry") == registry ||
                      base::json::find_string(server_info, "registry_public") == registry;
    if (!ours) return settings;
    const auto told = [&](const char* name) {
        return base::json::find_string(server_info, name).value_or("");
    };
    if (const auto user = told("registry_user"); !user.empty()) {
        const auto password = base::read_file(told("registry_password_file"), 1u << 16);
        settings.credentials[registry] = {
            user, base::Secret(password.substr(0, password.find_first_of("\r\n")))};
    }
    if (const auto certificate = told("registry_client_certificate"); !certificate.empty()) {
        auto& credential = settings.credentials[registry];
        credential.certificate = base::read_file(certificate, 1u << 20);
        credential.key = base::Secret(base::read_file(told("registry_client_key"), 1u << 20));
    }
    return settings;
}

std::string pin(const std::string& reference, const registry::Settings& settings,
                const base::Stop& stop) {
    const auto parsed = image::Reference::parse(reference);
    if (parsed.digest) return parsed.render();
    const auto repository = registry::open_repository(parsed.registry, parsed.repository, settings);
    const auto manifest = repository->read_manifest(parsed.tag.value_or("latest"), stop);
    if (!manifest)
        throw base::Error(base::ErrorKind::not_found, "there is no image " + parsed.render());
    return parsed.with_digest(manifest->digest).render();
}

RegistryImage read_registry_image(const Context& context, const std::string& name,
                                  const base::json::Value& server_info,
                                  const std::string& architecture) {
    const auto settings = registry_settings(server_info, image::Reference::parse(name).registry);
    const auto pinned = image::Reference::parse(pin(name, settings, context.interrupted));
    const auto store = registry::open_repository(pinned.registry, pinned.repository, settings);
    return {image::read_image(*store, pinned.digest->render(),
                              architecture.empty() ? image::this_architecture() : architecture,
                              pinned.render(), context.interrupted),
            *pinned.digest, pinned.render()};
}

} // namespace cli
