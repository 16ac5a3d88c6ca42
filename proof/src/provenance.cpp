#include "proof/provenance.h"

#include "base/error.h"
#include "base/json.h"
#include "base/text.h"

#include <algorithm>
#include <ctime>
#include <nlohmann/json.hpp>

namespace proof {
namespace {

using base::Error;
using base::ErrorKind;
using base::json::Value;
using nlohmann::ordered_json;

ordered_json render_resource(const Resource& resource) {
    ordered_json value = ordered_json::object();
    if (!resource.name.empty()) value["name"] = resource.name;
    if (!resource.uri.empty()) value["uri"] = resource.uri;
    if (!resource.digest.empty()) value["digest"] = resource.digest;
    if (!resource.media_type.empty()) value["mediaType"] = resource.media_type;
    value["annotations"] = {{"role", resource.role}};
    for (const auto& [name, text] : resource.annotations) value["annotations"][name] = text;
    return value;
}

ordered_json to_json(const std::vector<Resource>& resources) {
    auto list = ordered_json::array();
    for (const auto& resource : resources) list.push_back(render_resource(resource));
    return list;
}

const Value& object_of(const Value& value, const char* name) {
    const auto found = value.find(name);
    if (found == value.end() || !found->is_object())
        throw Error(ErrorKind::invalid_input,
                    std::string("the provenance lacks the object \"") + name + "\"");
    return *found;
}

std::string text_of(const Value& value, const char* name) {
    return base::json::find_string(value, name).value_or("");
}

// The members that are texts.
std::map<std::string, std::string> map_of(const Value& value, const char* name) {
    std::map<std::string, std::string> map;
    const auto found = value.find(name);
    if (found == value.end() || !found->is_object()) return map;
    for (const auto& [key, text] : found->items())
        if (text.is_string()) map[key] = text.get<std::string>();
    return map;
}

std::vector<std::string> texts_of(const Value& value, const char* name) {
    return value.contains(name) ? base::json::get_strings(value, name) : std::vector<std::string>{};
}

std::vector<Resource> read_resources(const Value& list) {
    std::vector<Resource> resources;
    for (const auto& each : list) {
        if (!each.is_object()) continue;
        Resource resource{.role = "",
                          .name = text_of(each, "name"),
                          .uri = text_of(each, "uri"),
                          .media_type = text_of(each, "mediaType")};
        resource.digest = map_of(each, "digest");
        resource.annotations = map_of(each, "annotations");
        if (auto role = resource.annotations.extract("role")) resource.role = role.mapped();
        resources.push_back(std::move(resource));
    }
    return resources;
}

std::vector<Resource> resources_of(const Value& value, const char* name) {
    const auto found = value.find(name);
    if (found == value.end() || !found->is_array()) return {};
    return read_resources(*found);
}

} // namespace

std::string render(const Provenance& provenance) {
    const auto& from = provenance.source;
    ordered_json source{{"kind", from.kind}};
    if (!from.uri.empty()) source["uri"] = from.uri;
    if (!from.ref.empty()) source["ref"] = from.ref;
    if (!from.revision.empty()) source["revision"] = from.revision;
    ordered_json outside{{"app", provenance.app}, {"source", source}};
    if (!provenance.buildpacks.empty()) outside["buildpacks"] = provenance.buildpacks;
    const ordered_json value{
        {"buildDefinition",
         {{"buildType", build_type},
          {"externalParameters", outside},
          {"internalParameters",
           {{"stack", provenance.stack},
            {"environment", provenance.environment},
            {"settings", provenance.settings}}},
          {"resolvedDependencies", to_json(provenance.dependencies)}}},
        {"runDetails",
         {{"builder",
           {{"id", provenance.builder}, {"version", {{"slipway", provenance.builder_version}}}}},
          {"metadata",
           {{"invocationId", provenance.build},
            {"startedOn", render_time(provenance.started)},
            {"finishedOn", render_time(provenance.finished)}}},
          {"byproducts", to_json(provenance.byproducts)}}}};
    return value.dump(-1, ' ', false, ordered_json::error_handler_t::replace);
}

Provenance parse_provenance(std::string_view predicate) {
    const auto value = base::json::parse(predicate, "the provenance");
    const auto& definition = object_of(value, "buildDefinition");
    if (const auto type = text_of(definition, "buildType"); type != build_type)
        throw Error(ErrorKind::invalid_input, "the provenance is of a build of the type " +
                                                  base::quoted(type.substr(0, 200)) +
                                                  ", which Slipway does not make");
    const auto& outside = object_of(definition, "externalParameters");
    const auto& source = object_of(outside, "source");
    const auto& inside = object_of(definition, "internalParameters");
    const auto& run = object_of(value, "runDetails");
    const auto& builder = object_of(run, "builder");
    const auto& metadata = object_of(run, "metadata");
    const auto version = builder.find("version");
    return {.app = base::json::get_string(outside, "app"),
            .source = {text_of(source, "kind"), text_of(source, "uri"), text_of(source, "ref"),
                       text_of(source, "revision")},
            .buildpacks = texts_of(outside, "buildpacks"),
            .stack = text_of(inside, "stack"),
            .environment = texts_of(inside, "environment"),
            .settings = map_of(inside, "settings"),
            .dependencies = resources_of(definition, "resolvedDependencies"),
            .builder = base::json::get_string(builder, "id"),
            .builder_version = version != builder.end() && version->is_object()
                                   ? text_of(*version, "slipway")
                                   : std::string(),
            .build = text_of(metadata, "invocationId"),
            .started = parse_time(text_of(metadata, "startedOn")),
            .finished = parse_time(text_of(metadata, "finishedOn")),
            .byproducts = resources_of(run, "byproducts")};
}

std::string render_resources(const std::vector<Resource>& resources) {
    return to_json(resources).dump(-1, ' ', false, ordered_json::error_handler_t::replace);
}

std::vector<Resource> parse_resources(std::string_view json) {
    const auto list = base::json::parse(json, "the list of resources");
    if (!list.is_array())
        throw Error(ErrorKind::invalid_input, "the list of resources is not a list");
    return read_resources(list);
}

const Resource* find_resource(const std::vector<Resource>& resources, std::string_view role) {
    const auto found = std::find_if(resources.begin(), resources.end(),
                                    [&](const Resource& each) { return each.role == role; });
    return found == resources.end() ? nullptr : &*found;
}

std::string render_time(std::int64_t milliseconds) {
    const std::time_t seconds = milliseconds / 1000;
    std::tm parts{};
    ::gmtime_r(&seconds, &parts);
    char text[32];
    return {text, std::strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &parts)};
}

std::int64_t parse_time(std::string_view text) {
    std::tm parts{};
    const char* end = ::strptime(std::string(text).c_str(), "%Y-%m-%dT%H:%M:%SZ", &parts);
    return end ? static_cast<std::int64_t>(::timegm(&parts)) * 1000 : 0;
}

} // namespace proof
