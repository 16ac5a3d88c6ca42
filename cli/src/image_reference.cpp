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

FoundImage with_manifest(const Context& context, std::string name,
                         std::unique_ptr<image::BlobStore> store, const std::string& tag_or_digest,
                         OfIndex of_index) {
    const auto& stop = context.interrupted;
    auto manifest = store->read_manifest(tag_or_digest, stop);
    if (manifest && of_index == OfIndex::this_machine)
        if (const auto chosen = image::choose_from_index(*manifest, image::this_architecture()))
            manifest = store->read_manifest(chosen->render(), stop);
    if (!manifest) throw Error(ErrorKind::not_found, "there is no image " + base::quoted(name));
    return {std::move(name), std::move(store), std::move(*manifest)};
}

std::unique_ptr<image::BlobStore> open_repository(const Context& context,
                                                  const image::Reference& reference) {
    return registry::open_repository(
        reference.registry, reference.repository,
        registry_settings(what_the_server_says(context), reference.registry));
}

FoundImage from_registry(const Context& context, const std::string& text, OfIndex of_index) {
    const auto reference = image::Reference::parse(text);
    auto found = with_manifest(
        context, text, open_repository(context, reference),
        reference.digest ? reference.digest->render() : reference.tag.value_or("latest"), of_index);
    found.name = reference.with_digest(found.manifest.digest).render();
    found.registry = reference.registry;
    found.repository = reference.repository;
    return found;
}

FoundImage from_layout(const Context& context, const std::string& text, OfIndex of_index) {
    const auto [path, tag, digest] = parse_layout_reference(text);
    // Opening makes what is not there.
    if (!std::filesystem::exists(std::filesystem::path(path) / "oci-layout"))
        throw Error(ErrorKind::not_found, base::quoted(path) + " is no image layout");
    auto name = tag;
    if (tag.empty()) name = digest.value_or(image::default_image(path)).render();
    auto found = with_manifest(context, text, image::open_oci_layout(path), name, of_index);
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

bool is_repository_of(const FoundImage& found, const std::vector<std::string>& signed_for) {
    return std::any_of(signed_for.begin(), signed_for.end(), [&](const std::string& name) {
        const auto slash = name.find('/');
        return slash != name.npos && name.substr(slash + 1) == found.repository;
    });
}

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
    const auto refuse = [&] {
        throw Error(ErrorKind::invalid_input, base::quoted(text) + " names no image layout",
                    "Write it as oci:PATH or oci:PATH:TAG.");
    };
    LayoutReference reference{rest};
    if (const auto at = rest.rfind("@sha256:"); at != rest.npos) {
        reference = {rest.substr(0, at), {}, image::Digest::parse(rest.substr(at + 1))};
    } else if (const auto colon = rest.rfind(':');
               // "oci:./a:b/c" names a directory with a colon in it.
               colon != rest.npos && rest.find('/', colon) == rest.npos) {
        reference = {rest.substr(0, colon), rest.substr(colon + 1)};
        if (reference.tag.empty()) refuse();
    }
    if (reference.path.empty()) refuse();
    return reference;
}

FoundImage find_image(const Context& context, const std::string& text, OfIndex of_index) {
    switch (kind_of_reference(text)) {
    case ReferenceKind::layout:
        return from_layout(context, text, of_index);
    case ReferenceKind::build:
        return from_registry(context, image_of_build(context, text), of_index);
    case ReferenceKind::app:
        return from_registry(context, image_of_app(context, text), of_index);
    case ReferenceKind::registry:
        break;
    }
    return from_registry(context, text, of_index);
}

image::Image read_image(const FoundImage& found, const base::Stop& stop) {
    return image::read_image(*found.store, found.manifest.digest.render(),
                             image::this_architecture(), found.name, stop);
}

Destination open_destination(const Context& context, const std::string& text) {
    const auto kind = kind_of_reference(text);
    const auto refuse = [&](const std::string& why) {
        throw Error(ErrorKind::invalid_input, base::quoted(text) + why,
                    std::string("Write where the image goes as ") + destination_help + ".");
    };
    if (kind == ReferenceKind::layout) {
        const auto [path, tag, digest] = parse_layout_reference(text);
        if (digest) refuse(" names a digest, and an image is written under a tag");
        return {std::string(layout_prefix) + path, image::open_oci_layout(path),
                tag.empty() ? "latest" : tag};
    }
    if (kind != ReferenceKind::registry) refuse(" is neither a repository nor a layout");
    const auto reference = image::Reference::parse(text);
    if (reference.digest) refuse(" names a digest, and an image is written under a tag");
    return {reference.registry + "/" + reference.repository, open_repository(context, reference),
            reference.tag.value_or("latest"), reference.registry, reference.repository};
}

image::CopyReport copy_image(const FoundImage& from, const image::RawManifest& manifest,
                             const Destination& to, image::CopyOptions options,
                             const base::Stop& stop) {
    if (!from.registry.empty() && from.registry == to.registry && from.repository != to.repository)
        options.mount_from = from.repository;
    return base::while_doing("copying " + from.name + " to " + to.place, [&] {
        return image::copy(*from.store, manifest, *to.store, options, stop);
    });
}

std::string describe(const image::CopyReport& report) {
    const auto blobs = report.there + report.mounted + report.sent;
    return std::to_string(report.manifests) + (report.manifests == 1 ? " manifest" : " manifests") +
           "; of " + std::to_string(blobs) + " blobs " + std::to_string(report.sent) +
           " were sent (" + base::human_bytes(report.bytes_sent) + "), " +
           std::to_string(report.mounted) + " mounted, " + std::to_string(report.there) +
           " were there";
}

} // namespace cli
