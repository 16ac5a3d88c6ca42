// The labels of the platform specification, read from the previous image and written to the new
// one: io.buildpacks.lifecycle.metadata and io.buildpacks.build.metadata.
#pragma once

#include "builder/event.h"
#include "buildpacks/buildpack.h"
#include "image/image.h"

#include <map>
#include <optional>
#include <string>
#include <vector>

namespace builder {

inline constexpr const char* lifecycle_label = "io.buildpacks.lifecycle.metadata";
inline constexpr const char* build_label = "io.buildpacks.build.metadata";
inline constexpr const char* project_label = "io.buildpacks.project.metadata";
inline constexpr const char* execution_env_label = "io.buildpacks.exec-env";

struct LayerRecord {
    std::string diff_id;       // "sha256:...", of the uncompressed layer
    std::string metadata_json; // "null": it has no [metadata]
    buildpacks::LayerTypes types;
};

struct BuildpackRecord {
    std::string id;
    std::string version;
    std::map<std::string, LayerRecord> layers;
    std::string store_json;
};

struct RunImageRecord {
    std::string top_layer; // diff id
    std::string reference; // with digest
    std::string image;     // without
};

struct LifecycleMetadata {
    std::vector<std::string> app; // diff ids, slices first
    std::string config;
    std::string launcher;
    std::string process_types;
    std::string bills; // of materials: the label's "sbom"
    std::vector<BuildpackRecord> buildpacks;
    RunImageRecord run_image;

    std::string render() const;
    // Empty when the image has no such label, it cannot be read, or the image was built for another
    // execution environment: then nothing is reused.
    static std::optional<LifecycleMetadata> parse(const image::Image& image);
    // Only what a later build reuses: buildpacks and bills. Throws Error{invalid_input}.
    static LifecycleMetadata parse_text(const std::string& json);

    const BuildpackRecord* find(const std::string& id) const;
};

// A process with the buildpack that named it.
struct NamedProcess {
    buildpacks::Process process;
    std::string buildpack_id;
};

// What the built group says together (platform.md, "metadata.toml").
struct BuildMetadata {
    std::vector<const buildpacks::Buildpack*> group;
    std::vector<NamedProcess> processes;                     // by type; at most one is the default
    std::vector<std::pair<std::string, std::string>> labels; // all, in the order of the group
    std::vector<buildpacks::Slice> slices;                   // likewise
};

// The label io.buildpacks.build.metadata.
std::string render_build_label(const BuildMetadata& metadata);
// <layers>/config/metadata.toml, which the launcher reads: the reference lifecycle's bytes.
std::string render_build_metadata(const BuildMetadata& metadata);

} // namespace builder
