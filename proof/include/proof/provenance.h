// Who built an image from what: SLSA provenance v1 (slsa-framework/slsa, provenance/v1), with the
// build type that docs/provenance.md describes. Of the environment it knows names, never values.
// Pure.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace proof {

inline constexpr std::string_view build_type = "urn:slipway:build:v1";

// in-toto's ResourceDescriptor.
struct Resource {
    // "source", "build-image", "run-image", "buildpack"; of byproducts "log", "bill" (of
    // materials), "layer". Buildpacks and layers in their order.
    std::string role;
    std::string name = {};
    std::string uri = {};
    std::map<std::string, std::string> digest = {}; // "sha256", "gitCommit" -> hex
    std::string media_type = {};
    std::map<std::string, std::string> annotations = {}; // besides the role
};

// Of a resource "layer", whose digest is the blob's: "previous", "unchanged", "same-content" or
// "made", and why in a few words.
inline constexpr const char* origin_annotation = "origin";
inline constexpr const char* reason_annotation = "reason";

struct Provenance {
    struct Source {
        std::string kind; // "git", "archive", "url", "commit"
        std::string uri;  // without credentials; empty: it came from no address
        std::string ref;
        std::string revision; // a commit, or what its sender called it
    };
    std::string app;
    Source source;
    std::vector<std::string> buildpacks = {}; // as somebody named them; empty: detection decided
    std::string stack;
    std::vector<std::string> environment = {}; // names
    // Of the builder's, what the image depends on: "compression" -> "gzip".
    std::map<std::string, std::string> settings = {};
    std::vector<Resource> dependencies = {};
    std::string builder;         // a URI: who signs for it
    std::string builder_version; // of Slipway
    std::string build;           // its id
    std::int64_t started = 0;    // milliseconds since 1970
    std::int64_t finished = 0;
    std::vector<Resource> byproducts = {};
};

std::string render(const Provenance& provenance); // the predicate
// Throws Error{invalid_input} for another build type and for what is no provenance.
Provenance parse_provenance(std::string_view predicate);

// A list of them on its own. parse throws Error{invalid_input} for what is no list.
std::string render_resources(const std::vector<Resource>& resources);
std::vector<Resource> parse_resources(std::string_view json);
// The first resource of this role; null when there is none.
const Resource* find_resource(const std::vector<Resource>& resources, std::string_view role);

// "2026-01-31T12:00:00Z" and back; 0 for what is no such time.
std::string render_time(std::int64_t milliseconds);
std::int64_t parse_time(std::string_view text);

} // namespace proof
