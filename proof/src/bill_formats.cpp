#include "bill_formats.h"

#include "base/error.h"
#include "base/json.h"
#include "base/text.h"

#include <algorithm>
#include <map>

namespace proof {
namespace {

using base::Error;
using base::ErrorKind;
using base::json::Value;

constexpr int newest_minor = 6;
constexpr int deepest = 8; // components in components
constexpr std::string_view nothing_said[] = {"", "NOASSERTION", "NONE"};

[[noreturn]] void refuse(const Bill& bill, const char* what) {
    throw Error(ErrorKind::invalid_input, "the bill of materials of " + bill.origin + what);
}

Value parse(const Bill& bill) {
    auto value = base::json::parse(bill.text, "the bill of materials of " + bill.origin);
    if (!value.is_object()) refuse(bill, " is no object");
    return value;
}

std::string text_of(const Value& object, const char* name) {
    const auto found = object.find(name);
    return found != object.end() && found->is_string() ? found->get<std::string>() : std::string();
}

// The objects of a list; none when there is no such list.
template <class F>
void for_each_object(const Value& object, const char* name, F&& act) {
    const auto list = object.find(name);
    if (list == object.end() || !list->is_array()) return;
    for (const auto& each : *list)
        if (each.is_object()) act(each);
}

bool is_said(const std::string& licence) {
    return std::find(std::begin(nothing_said), std::end(nothing_said), licence) ==
           std::end(nothing_said);
}

// {"license": {"id": ...}} and {"expression": ...}; a licence's free name is no expression.
std::string licence_of_cyclonedx(const Value& component) {
    std::string all;
    for_each_object(component, "licenses", [&](const Value& each) {
        auto one = text_of(each, "expression");
        if (const auto known = each.find("license"); known != each.end() && known->is_object())
            one = text_of(*known, "id");
        if (!one.empty()) all += (all.empty() ? "" : " AND ") + one;
    });
    return all;
}

std::string package_url_of_spdx(const Value& package) {
    std::string url;
    for_each_object(package, "externalRefs", [&](const Value& reference) {
        if (text_of(reference, "referenceType") == "purl")
            url = text_of(reference, "referenceLocator");
    });
    return url;
}

void add_cyclonedx(const Value& object, std::vector<Component>& components, int depth) {
    if (depth > deepest) return;
    for_each_object(object, "components", [&](const Value& each) {
        components.push_back({text_of(each, "bom-ref"), text_of(each, "type"),
                              text_of(each, "name"), text_of(each, "version"),
                              text_of(each, "purl"), licence_of_cyclonedx(each)});
        add_cyclonedx(each, components, depth + 1);
    });
}

std::vector<Component> components_of_spdx(const Value& document) {
    std::vector<Component> components;
    for_each_object(document, "packages", [&](const Value& package) {
        auto licence = text_of(package, "licenseConcluded");
        if (!is_said(licence)) licence = text_of(package, "licenseDeclared");
        // A reference leads to a text of that document alone.
        if (!is_said(licence) || licence.find("LicenseRef-") != licence.npos) licence.clear();
        components.push_back({text_of(package, "SPDXID"), "library", text_of(package, "name"),
                              text_of(package, "versionInfo"), package_url_of_spdx(package),
                              licence});
    });
    return components;
}

std::vector<Component> components_of_syft(const Value& document) {
    std::vector<Component> components;
    for_each_object(document, "artifacts", [&](const Value& artifact) {
        std::string licence;
        for_each_object(artifact, "licenses", [&](const Value& each) {
            const auto one = text_of(each, "spdxExpression");
            if (!one.empty()) licence += (licence.empty() ? "" : " AND ") + one;
        });
        components.push_back({text_of(artifact, "id"), "library", text_of(artifact, "name"),
                              text_of(artifact, "version"), text_of(artifact, "purl"), licence});
    });
    return components;
}

// A component as it was told, but for its reference, which becomes unique, and those in it.
Json renamed_component(const Value& component, const std::string& prefix, int depth) {
    Json renamed = component;
    if (const auto id = text_of(component, "bom-ref"); !id.empty())
        renamed["bom-ref"] = prefix + id;
    if (!component.contains("components")) return renamed;
    renamed["components"] = Json::array();
    if (depth < deepest)
        for_each_object(component, "components", [&](const Value& each) {
            renamed["components"].push_back(renamed_component(each, prefix, depth + 1));
        });
    return renamed;
}

Json renamed_dependency(const Value& dependency, const std::string& prefix) {
    Json renamed{{"ref", prefix + text_of(dependency, "ref")}};
    const auto on = dependency.find("dependsOn");
    if (on == dependency.end() || !on->is_array()) return renamed;
    renamed["dependsOn"] = Json::array();
    for (const auto& each : *on)
        if (each.is_string()) renamed["dependsOn"].push_back(prefix + each.get<std::string>());
    return renamed;
}

// What belongs to files that the merged document does not list goes.
Json renamed_package(const Value& package, const std::string& id) {
    Json renamed = package;
    for (const char* gone : {"hasFiles", "packageVerificationCode", "licenseInfoFromFiles"})
        renamed.erase(gone);
    renamed["SPDXID"] = id;
    renamed["filesAnalyzed"] = false;
    if (!renamed.contains("downloadLocation")) renamed["downloadLocation"] = "NOASSERTION";
    return renamed;
}

} // namespace

std::string spdx_id(std::string_view text) {
    std::string id;
    for (const char c : text)
        id += (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '.'
                  ? c
                  : '-';
    return id;
}

CyclonedxPart read_cyclonedx(const Bill& bill, const std::string& prefix) {
    const auto document = parse(bill);
    if (text_of(document, "bomFormat") != "CycloneDX") refuse(bill, " is not CycloneDX");
    CyclonedxPart part;
    const auto version = text_of(document, "specVersion");
    if (version.size() == 3 && version.starts_with("1.") && version[2] >= '0' && version[2] <= '9')
        part.minor = std::clamp(version[2] - '0', part.minor, newest_minor);
    for_each_object(document, "components", [&](const Value& component) {
        part.components.push_back(renamed_component(component, prefix, 1));
    });
    for_each_object(document, "dependencies", [&](const Value& dependency) {
        part.dependencies.push_back(renamed_dependency(dependency, prefix));
    });
    return part;
}

SpdxPart read_spdx(const Bill& bill, const std::string& prefix) {
    const auto document = parse(bill);
    if (!text_of(document, "spdxVersion").starts_with("SPDX-2.")) refuse(bill, " is not SPDX 2");
    SpdxPart part;
    std::map<std::string, std::string> ids; // old -> new
    for_each_object(document, "packages", [&](const Value& package) {
        const auto old = text_of(package, "SPDXID");
        const auto id = "SPDXRef-" + spdx_id(prefix) + std::to_string(ids.size()) + "-" +
                        spdx_id(text_of(package, "name"));
        if (ids.emplace(old, id).second) part.packages.push_back(renamed_package(package, id));
    });
    for_each_object(document, "relationships", [&](const Value& relationship) {
        const auto from = ids.find(text_of(relationship, "spdxElementId"));
        const auto to = ids.find(text_of(relationship, "relatedSpdxElement"));
        if (from == ids.end() || to == ids.end()) return;
        part.relationships.push_back(
            {{"spdxElementId", from->second},
             {"relationshipType", text_of(relationship, "relationshipType")},
             {"relatedSpdxElement", to->second}});
    });
    for_each_object(document, "hasExtractedLicensingInfos",
                    [&](const Value& licence) { part.licences.push_back(licence); });
    return part;
}

std::vector<Component> read_components(const Bill& bill) {
    const auto document = parse(bill);
    std::vector<Component> components;
    if (bill.format == Bill::Format::cyclonedx) add_cyclonedx(document, components, 1);
    if (bill.format == Bill::Format::spdx) components = components_of_spdx(document);
    if (bill.format == Bill::Format::syft) components = components_of_syft(document);
    std::erase_if(components, [](const Component& each) { return each.name.empty(); });
    return components;
}

CyclonedxPart to_cyclonedx(const std::vector<Component>& components, const std::string& prefix) {
    CyclonedxPart part;
    for (const auto& each : components) {
        Json component{{"type", each.type.empty() ? "library" : each.type},
                       {"bom-ref", prefix + (each.id.empty() ? each.name : each.id)},
                       {"name", each.name}};
        if (!each.version.empty()) component["version"] = each.version;
        if (!each.licence.empty())
            component["licenses"] = Json::array({Json{{"expression", each.licence}}});
        if (!each.package_url.empty()) component["purl"] = each.package_url;
        part.components.push_back(std::move(component));
    }
    return part;
}

SpdxPart to_spdx(const std::vector<Component>& components, const std::string& prefix) {
    SpdxPart part;
    for (const auto& each : components) {
        Json package{{"SPDXID", "SPDXRef-" + spdx_id(prefix) +
                                    std::to_string(part.packages.size()) + "-" +
                                    spdx_id(each.name)},
                     {"name", each.name},
                     {"downloadLocation", "NOASSERTION"},
                     {"filesAnalyzed", false},
                     {"licenseConcluded", "NOASSERTION"},
                     {"licenseDeclared", each.licence.empty() ? "NOASSERTION" : each.licence},
                     {"copyrightText", "NOASSERTION"}};
        if (!each.version.empty()) package["versionInfo"] = each.version;
        if (!each.package_url.empty())
            package["externalRefs"] = Json::array({Json{{"referenceCategory", "PACKAGE-MANAGER"},
                                                        {"referenceType", "purl"},
                                                        {"referenceLocator", each.package_url}}});
        part.packages.push_back(std::move(package));
    }
    return part;
}

} // namespace proof
