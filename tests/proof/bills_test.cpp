#include "proof/bills.h"

#include "base/json.h"

#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

#include <set>

using nlohmann::json;
using proof::Bill;

namespace {

const auto image_digest = image::Digest::of("an image");

const Bill npm_cyclonedx{"node_modules/npm", Bill::Format::cyclonedx, R"({
  "bomFormat": "CycloneDX", "specVersion": "1.5", "version": 1,
  "components": [
    {"type": "library", "bom-ref": "a", "name": "left-pad", "version": "1.3.0",
     "purl": "pkg:npm/left-pad@1.3.0", "licenses": [{"license": {"id": "WTFPL"}}],
     "hashes": [{"alg": "SHA-1", "content": "aa"}]},
    {"type": "library", "bom-ref": "b", "name": "outer", "version": "1",
     "components": [{"type": "library", "bom-ref": "c", "name": "inner", "version": "2"}]}],
  "dependencies": [{"ref": "b", "dependsOn": ["a"]}]})"};

const Bill pip_spdx{"python/site", Bill::Format::spdx, R"({
  "spdxVersion": "SPDX-2.2", "SPDXID": "SPDXRef-DOCUMENT", "name": "x",
  "packages": [
    {"SPDXID": "SPDXRef-1", "name": "flask", "versionInfo": "3.0",
     "licenseConcluded": "BSD-3-Clause", "downloadLocation": "https://example.com",
     "hasFiles": ["SPDXRef-File"], "filesAnalyzed": true,
     "externalRefs": [{"referenceCategory": "PACKAGE-MANAGER", "referenceType": "purl",
                       "referenceLocator": "pkg:pypi/flask@3.0"}]},
    {"SPDXID": "SPDXRef-2", "name": "jinja2", "versionInfo": "3.1",
     "licenseConcluded": "NOASSERTION"}],
  "relationships": [
    {"spdxElementId": "SPDXRef-DOCUMENT", "relationshipType": "DESCRIBES",
     "relatedSpdxElement": "SPDXRef-1"},
    {"spdxElementId": "SPDXRef-1", "relationshipType": "DEPENDS_ON",
     "relatedSpdxElement": "SPDXRef-2"}]})"};

const Bill go_syft{"go/bin", Bill::Format::syft,
                   R"({"artifacts": [{"id": "s", "name": "example.com/x", "version": "v1",
                        "purl": "pkg:golang/example.com/x@v1"}]})"};

json merged(const std::vector<Bill>& bills, bool spdx = false) {
    const auto both = proof::merge_bills(bills, "host/app", image_digest);
    return json::parse(spdx ? both.spdx : both.cyclonedx);
}

std::set<std::string> references(const json& components) {
    std::set<std::string> all;
    for (const auto& each : components) {
        all.insert(each["bom-ref"].get<std::string>());
        if (each.contains("components")) all.merge(references(each["components"]));
    }
    return all;
}

} // namespace

TEST_CASE("bills of several layers are one CycloneDX document about the image") {
    const auto document = merged({npm_cyclonedx, pip_spdx, go_syft});
    CHECK(document["bomFormat"] == "CycloneDX");
    CHECK(document["specVersion"] == "1.5");
    CHECK(document["metadata"]["component"]["name"] == "host/app");
    CHECK(document["metadata"]["component"]["version"] == image_digest.render());
    CHECK(document["components"].size() == 5);
    const auto packages = proof::packages_of(document.dump());
    CHECK(packages == std::vector<proof::Package>{{"golang", "example.com/x", "v1"},
                                                  {"library", "inner", "2"},
                                                  {"library", "jinja2", "3.1"},
                                                  {"library", "outer", "1"},
                                                  {"npm", "left-pad", "1.3.0"},
                                                  {"pypi", "flask", "3.0"}});
}

TEST_CASE("what a CycloneDX bill says of a component stays, its references become unique") {
    auto again = npm_cyclonedx;
    again.origin = "node_modules/other";
    const auto document = merged({npm_cyclonedx, again});
    CHECK(references(document["components"]).size() == 6);
    const auto& component = document["components"][0];
    CHECK(component["hashes"][0]["content"] == "aa");
    CHECK(component["licenses"][0]["license"]["id"] == "WTFPL");
    CHECK(component["properties"][0]["value"] == "node_modules/npm");
    const auto all = references(document["components"]);
    REQUIRE(document["dependencies"].size() == 2);
    for (const auto& each : document["dependencies"]) {
        CHECK(all.count(each["ref"].get<std::string>()) == 1);
        CHECK(all.count(each["dependsOn"][0].get<std::string>()) == 1);
    }
}

TEST_CASE("the same bills are one SPDX 2.3 document, converted where a layer gave none") {
    const auto document = merged({npm_cyclonedx, pip_spdx, go_syft}, true);
    CHECK(document["spdxVersion"] == "SPDX-2.3");
    CHECK(document["documentNamespace"].get<std::string>().find('#') == std::string::npos);
    std::map<std::string, json> by_name;
    std::set<std::string> ids;
    for (const auto& package : document["packages"]) {
        by_name[package["name"].get<std::string>()] = package;
        ids.insert(package["SPDXID"].get<std::string>());
        CHECK(package["filesAnalyzed"] == false);
        CHECK_FALSE(package.contains("hasFiles"));
        CHECK(package.contains("downloadLocation"));
    }
    CHECK(ids.size() == document["packages"].size());
    CHECK(by_name.size() == 7); // the image and six packages
    CHECK(by_name["left-pad"]["licenseDeclared"] == "WTFPL");
    CHECK(by_name["left-pad"]["externalRefs"][0]["referenceLocator"] == "pkg:npm/left-pad@1.3.0");
    CHECK(by_name["flask"]["licenseConcluded"] == "BSD-3-Clause");
    std::size_t contained = 0;
    bool depends = false;
    for (const auto& each : document["relationships"]) {
        contained += each["relationshipType"] == "CONTAINS";
        depends = depends || (each["relationshipType"] == "DEPENDS_ON" &&
                              each["spdxElementId"] == by_name["flask"]["SPDXID"] &&
                              each["relatedSpdxElement"] == by_name["jinja2"]["SPDXID"]);
        if (each["spdxElementId"] != "SPDXRef-DOCUMENT")
            CHECK(ids.count(each["spdxElementId"].get<std::string>()) == 1);
    }
    CHECK(contained == 6);
    CHECK(depends);
}

TEST_CASE("a layer that has several formats is listed once, from the fitting one") {
    auto spdx = pip_spdx;
    spdx.origin = npm_cyclonedx.origin;
    CHECK(merged({npm_cyclonedx, spdx})["components"].size() == 2);
    CHECK(merged({npm_cyclonedx, spdx}, true)["packages"].size() == 3);
}

TEST_CASE("the order in which bills are found does not matter, and what cannot be read is named") {
    const auto one = proof::merge_bills({npm_cyclonedx, pip_spdx}, "host/app", image_digest);
    const auto two = proof::merge_bills({pip_spdx, npm_cyclonedx}, "host/app", image_digest);
    CHECK(one.cyclonedx == two.cyclonedx);
    CHECK(one.spdx == two.spdx);
    CHECK(one.packages == 5);
    CHECK(one.left_out.empty());
    const auto broken = proof::merge_bills({{"bad/layer", Bill::Format::cyclonedx, "{"},
                                            {"odd/layer", Bill::Format::spdx, "{}"},
                                            pip_spdx},
                                           "host/app", image_digest);
    REQUIRE(broken.left_out.size() == 2);
    CHECK(broken.left_out[0].find("bad/layer") != std::string::npos);
    CHECK(broken.packages == 2);
}

TEST_CASE("an image without bills has an empty one") {
    CHECK(merged({})["components"] == json::array());
    CHECK(merged({}, true)["packages"].size() == 1);
}
