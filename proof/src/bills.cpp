#include "proof/bills.h"

#include "bill_formats.h"

#include "base/error.h"
#include "base/json.h"

#include <algorithm>
#include <map>
#include <set>

namespace proof {
namespace {

using Format = Bill::Format;

// The time of what images hold: a bill of the same image is the same bill whenever it was made.
constexpr const char* created = "1980-01-01T00:00:01Z";
constexpr const char* image_id = "SPDXRef-Image";

// What one origin gave, best first for each of the two documents.
const Bill& best(const std::vector<const Bill*>& given, Format wanted) {
    for (const auto format : {wanted, Format::cyclonedx, Format::spdx, Format::syft})
        for (const auto* bill : given)
            if (bill->format == format) return *bill;
    return *given.front();
}

// RFC 4122's form of 16 bytes of the image's digest.
std::string serial_number(const image::Digest& image) {
    auto hex = image.hex().substr(0, 32);
    hex[12] = '8'; // version 8: of our own making
    hex[16] = '8';
    for (const std::size_t at : {20u, 16u, 12u, 8u}) hex.insert(at, "-");
    return "urn:uuid:" + hex;
}

std::size_t count(const Json& component) {
    std::size_t all = 1;
    if (const auto inner = component.find("components"); inner != component.end())
        for (const auto& each : *inner) all += count(each);
    return all;
}

void note_origin(Json& component, const std::string& origin) {
    const Json note{{"name", "slipway:layer"}, {"value", origin}};
    if (const auto given = component.find("properties");
        given != component.end() && given->is_array())
        given->push_back(note);
    else
        component["properties"] = Json::array({note});
}

class Merge {
  public:
    Merge(std::string_view name, const image::Digest& image) : name_(name), image_(image) {}

    void add(const std::string& origin, const std::vector<const Bill*>& given) {
        const auto number = std::to_string(++origins_);
        add_cyclonedx(origin, best(given, Format::cyclonedx), number + ":");
        add_spdx(best(given, Format::spdx), number + "-");
    }

    MergedBills result() {
        std::size_t packages = 0;
        for (const auto& component : components_) packages += count(component);
        const auto text = [](const Json& document) {
            return document.dump(-1, ' ', false, Json::error_handler_t::replace);
        };
        return {text(cyclonedx()), text(spdx()), packages};
    }

  private:
    void add_cyclonedx(const std::string& origin, const Bill& bill, const std::string& prefix) {
        auto part = bill.format == Format::cyclonedx ? read_cyclonedx(bill, prefix)
                                                     : to_cyclonedx(read_components(bill), prefix);
        minor_ = std::max(minor_, part.minor);
        for (auto& component : part.components) {
            note_origin(component, origin);
            components_.push_back(std::move(component));
        }
        std::move(part.dependencies.begin(), part.dependencies.end(),
                  std::back_inserter(dependencies_));
    }

    void add_spdx(const Bill& bill, const std::string& prefix) {
        auto part = bill.format == Format::spdx ? read_spdx(bill, prefix)
                                                : to_spdx(read_components(bill), prefix);
        for (auto& package : part.packages) {
            relationships_.push_back({{"spdxElementId", image_id},
                                      {"relationshipType", "CONTAINS"},
                                      {"relatedSpdxElement", package["SPDXID"]}});
            packages_.push_back(std::move(package));
        }
        std::move(part.relationships.begin(), part.relationships.end(),
                  std::back_inserter(relationships_));
        for (auto& licence : part.licences)
            if (const auto id = licence.find("licenseId"); id != licence.end() && id->is_string())
                licences_.try_emplace(id->get<std::string>(), std::move(licence));
    }

    Json cyclonedx() const {
        return {{"bomFormat", "CycloneDX"},
                {"specVersion", "1." + std::to_string(minor_)},
                {"serialNumber", serial_number(image_)},
                {"version", 1},
                {"metadata",
                 {{"component",
                   {{"type", "container"},
                    {"bom-ref", "image"},
                    {"name", name_},
                    {"version", image_.render()}}}}},
                {"components", components_},
                {"dependencies", dependencies_}};
    }

    Json spdx() const {
        const Json image{{"SPDXID", image_id},
                         {"name", name_},
                         {"versionInfo", image_.render()},
                         {"downloadLocation", "NOASSERTION"},
                         {"filesAnalyzed", false},
                         {"licenseConcluded", "NOASSERTION"},
                         {"licenseDeclared", "NOASSERTION"},
                         {"copyrightText", "NOASSERTION"},
                         {"primaryPackagePurpose", "CONTAINER"}};
        auto packages = Json::array({image});
        for (const auto& package : packages_) packages.push_back(package);
        auto relationships = Json::array({Json{{"spdxElementId", "SPDXRef-DOCUMENT"},
                                               {"relationshipType", "DESCRIBES"},
                                               {"relatedSpdxElement", image_id}}});
        for (const auto& each : relationships_) relationships.push_back(each);
        Json document{
            {"spdxVersion", "SPDX-2.3"},
            {"dataLicense", "CC0-1.0"},
            {"SPDXID", "SPDXRef-DOCUMENT"},
            {"name", name_},
            {"documentNamespace", serial_number(image_)},
            {"creationInfo", {{"created", created}, {"creators", Json::array({"Tool: slipway"})}}},
            {"packages", packages},
            {"relationships", relationships}};
        for (const auto& [id, licence] : licences_)
            document["hasExtractedLicensingInfos"].push_back(licence);
        return document;
    }

    const std::string name_;
    const image::Digest image_;
    std::size_t origins_ = 0;
    int minor_ = 4;
    std::vector<Json> components_, dependencies_, packages_, relationships_;
    std::map<std::string, Json> licences_;
};

void add_packages(const base::json::Value& object, std::set<Package>& packages) {
    const auto list = object.find("components");
    if (list == object.end() || !list->is_array()) return;
    for (const auto& each : *list) {
        if (!each.is_object()) continue;
        auto type = base::json::find_string(each, "type").value_or("");
        const auto url = base::json::find_string(each, "purl").value_or("");
        if (url.starts_with("pkg:")) type = url.substr(4, url.find('/') - 4);
        packages.insert({type, base::json::find_string(each, "name").value_or(""),
                         base::json::find_string(each, "version").value_or("")});
        add_packages(each, packages);
    }
}

} // namespace

MergedBills merge_bills(const std::vector<Bill>& bills, std::string_view name,
                        const image::Digest& image) {
    std::map<std::string, std::vector<const Bill*>> by_origin;
    std::vector<std::string> left_out;
    for (const auto& bill : bills) {
        try {
            read_components(bill);
            // It is read as what it says it is, too.
            if (bill.format == Format::cyclonedx) read_cyclonedx(bill, "");
            if (bill.format == Format::spdx) read_spdx(bill, "");
            by_origin[bill.origin].push_back(&bill);
        } catch (const base::Error& error) {
            left_out.push_back(error.message());
        }
    }
    Merge merge(name, image);
    for (const auto& [origin, given] : by_origin) merge.add(origin, given);
    auto merged = merge.result();
    merged.left_out = std::move(left_out);
    return merged;
}

std::vector<Package> packages_of(std::string_view cyclonedx) {
    const auto document = base::json::parse(cyclonedx, "the bill of materials");
    if (base::json::find_string(document, "bomFormat") != "CycloneDX")
        throw base::Error(base::ErrorKind::invalid_input, "the bill of materials is not CycloneDX");
    std::set<Package> packages;
    add_packages(document, packages);
    return {packages.begin(), packages.end()};
}

} // namespace proof
