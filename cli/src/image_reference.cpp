#include "image_reference.h"

#include "api_client.h"
#include "images.h"
#include "site.h"

#include "base/error.h"
#include "base/text.h"
#include "image/oci_layout.h"
#include "image/reference.h"

#include <nlohmann/json.hpp>

#include <algorithm>

namespace cli {
namespace {

using base::Error;
using base::ErrorKind;
using base::json::Value;

constexpr std::string_view layout_prefix = "oci:";
constexpr std::size_t length_of_build_id = 13;

// A reference needs no server; one that is there tells which registries speak plain HTTP.
Value what_the_server_says(const Context& context) {
    try {
        return server_info(context);
    } catch (const Error&) {
        return {{"registry_insecure", Value::array()}};
    }
}

FoundImage with_manifest(std::string name, std::unique_ptr<image::BlobStore> store,
                         const std::string& tag_or_digest, const base::Stop& stop) {
    auto manifest = store->read_manifest(tag_or_digest, stop);
    if (manifest)
        if (const auto chosen = image::choose_from_index(*manifest, image::this_architecture()))
            manifest = store->read_manifest(chosen->render(), stop);
    if (!manifest) throw Error(ErrorKind::not_found, "there is no image " + base::quoted(name));
    return {std::move(name), std::move(store), std::move(*manifest)};
}

FoundImage from_registry(const Context& context, const std::string& text) {
    const auto reference = image::Reference::parse(text);
    auto found = with_manifest(
        text,
        registry::open_repository(
            reference.registry, reference.repository,
            registry_settings(what_the_server_says(context), reference.registry)),
        reference.digest ? reference.digest->render() : reference.tag.value_or("latest"),
        context.interrupted);
    found.name = reference.with_digest(found.manifest.digest).render();
    return found;
}

FoundImage from_layout(const Context& context, const std::string& text) {
    const auto [path, tag] = parse_layout_reference(text);
    // Opening makes what is not there.
    if (!std::filesystem::exists(std::filesystem::path(path) / "oci-layout"))
        throw Error(ErrorKind::not_found, base::quoted(path) + " is no image layout");
    auto found = with_manifest(text, image::open_oci_layout(path), tag, context.interrupted);
    found.name = std::string(layout_prefix) + path + "@" + found.manifest.digest.render();
    return found;
}

std::string image_of_build(const Context& context, const std::string& id) {
    const auto build = member(context.api().get(api_path({"builds", id})), "build");
    if (const auto reference = base::json::find_string(build, "reference")) return *reference;
    throw Error(ErrorKind::not_found,
                "build " + id + " has no image: it is " + base::json::get_string(build, "state"));
}

std::string image_of_app(const Context& context, const std::string& name) {
    const auto app = member(context.api().get(api_path({"apps", name})), "app");
    const auto digest = base::json::find_string(app, "digest");
    if (!digest)
        throw Error(ErrorKind::not_found, "the app " + base::quoted(name) + " has no image yet");
    return image::Reference::parse(base::json::get_string(app, "image"))
        .with_digest(image::Digest::parse(*digest))
        .render();
}

} // namespace

ReferenceKind kind_of_reference(const std::string& text) {
    if (text.empty())
        throw Error(ErrorKind::invalid_input, "no image was named",
                    std::string("Name one: ") + reference_help + ".");
    if (text.starts_with(layout_prefix)) return ReferenceKind::layout;
    if (text.find('/') != text.npos) return ReferenceKind::registry;
    const bool is_build = text.size() == length_of_build_id && text[0] == 'b' &&
                          std::all_of(text.begin(), text.end(), [](char c) {
                              return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
                          });
    return is_build ? ReferenceKind::build : ReferenceKind::app;
}

LayoutReference parse_layout_reference(const std::string& text) {
    const auto rest = text.substr(layout_prefix.size());
    const auto colon = rest.rfind(':');
    // "oci:./a:b/c" names a directory with a colon in it.
    if (colon == rest.npos || rest.find('/', colon) != rest.npos) return {rest, "latest"};
    return {rest.substr(0, colon), rest.substr(colon + 1)};
}

FoundImage find_image(const Context& context, const std::string& text) {
    switch (kind_of_reference(text)) {
    case ReferenceKind::layout:
        return from_layout(context, text);
    case ReferenceKind::build:
        return from_registry(context, image_of_build(context, text));
    case ReferenceKind::app:
        return from_registry(context, image_of_app(context, text));
    case ReferenceKind::registry:
        break;
    }
    return from_registry(context, text);
}

image::Image read_image(const FoundImage& found, const base::Stop& stop) {
    return image::read_image(*found.store, found.manifest.digest.render(),
                             image::this_architecture(), found.name, stop);
}

} // namespace cli
