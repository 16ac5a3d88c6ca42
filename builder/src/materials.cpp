#include "builder/materials.h"

#include "base/error.h"
#include "base/json.h"
#include "image/reference.h"

#include <nlohmann/json.hpp>

namespace builder {
namespace {

using base::json::Value;
using proof::Resource;

Resource source_of(const Source& source) {
    Resource resource{.role = "source"};
    if (const auto* tree = std::get_if<GitTree>(&source)) {
        resource.digest["gitCommit"] = tree->commit;
    } else if (const auto* commit = std::get_if<RemoteCommit>(&source)) {
        resource.uri = public_url(commit->url);
        resource.digest["gitCommit"] = commit->commit;
    } else if (const auto* remote = std::get_if<RemoteArchive>(&source)) {
        resource.uri = public_url(remote->url);
        if (remote->checksum.starts_with("sha256:"))
            resource.digest["sha256"] = remote->checksum.substr(7);
    }
    return resource;
}

Resource image_of(const char* role, const std::string& reference) {
    Resource resource{.role = role, .uri = reference};
    const auto parsed = image::Reference::parse(reference);
    if (parsed.digest) resource.digest["sha256"] = parsed.digest->hex();
    return resource;
}

} // namespace

Materials materials_of(const Job& job) {
    Materials materials;
    materials.dependencies = {source_of(job.source)};
    if (!job.stack.build.empty())
        materials.dependencies.push_back(image_of("build-image", job.stack.build));
    if (!job.stack.run.empty())
        materials.dependencies.push_back(image_of("run-image", job.stack.run));
    for (const auto& [name, value] : job.environment) materials.environment.push_back(name);
    return materials;
}

Materials on_run_image(Materials materials, const std::string& run, const std::string& from) {
    auto& dependencies = materials.dependencies;
    std::erase_if(dependencies, [](const auto& one) {
        return one.role == "run-image" || one.role == "rebased-from";
    });
    dependencies.push_back(image_of("run-image", run));
    dependencies.push_back(image_of("rebased-from", from));
    return materials;
}

std::string render_materials(const Materials& materials) {
    auto bills = Value::array();
    for (const auto& bill : materials.bills)
        bills.push_back({{"artifact_type", bill.artifact_type},
                         {"media_type", bill.blob.media_type},
                         {"digest", bill.blob.digest.render()},
                         {"size", bill.blob.size}});
    return base::json::render(
        {{"dependencies", Value::parse(proof::render_resources(materials.dependencies))},
         {"environment", materials.environment},
         {"layers", Value::parse(proof::render_resources(materials.layers))},
         {"bills", std::move(bills)}});
}

Materials parse_materials(std::string_view json) {
    const auto value = base::json::parse(json, "the materials of a build");
    const auto dependencies = value.find("dependencies"), layers = value.find("layers"),
               bills = value.find("bills");
    if (dependencies == value.end() || layers == value.end() || bills == value.end() ||
        !bills->is_array())
        throw base::Error(base::ErrorKind::invalid_input, "the materials of a build lack a list");
    Materials materials{.dependencies = proof::parse_resources(base::json::render(*dependencies)),
                        .environment = base::json::get_strings(value, "environment"),
                        .layers = proof::parse_resources(base::json::render(*layers))};
    for (const auto& bill : *bills)
        materials.bills.push_back(
            {base::json::get_string(bill, "artifact_type"),
             {base::json::get_string(bill, "media_type"),
              image::Digest::parse(base::json::get_string(bill, "digest")),
              static_cast<std::uint64_t>(base::json::get_integer(bill, "size"))}});
    return materials;
}

std::string public_url(std::string_view url) {
    std::string text(url.substr(0, url.find_first_of("?#")));
    const auto scheme = text.find("://");
    if (scheme == text.npos) return text;
    const auto host = scheme + 3;
    const auto end = std::min(text.find('/', host), text.size());
    const auto at = text.rfind('@', end);
    if (at != text.npos && at >= host) text.erase(host, at + 1 - host);
    return text;
}

} // namespace builder
