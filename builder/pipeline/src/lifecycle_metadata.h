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

struct LayerRecord {
    std::string diff_id; // "sha256:...", of the uncompressed layer
    std::string metadata_json;
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
    std::vector<BuildpackRecord> buildpacks;
    RunImageRecord run_image;

    std::string render() const;
    // Empty when the image has no such label or it cannot be read: then nothing is reused.
    static std::optional<LifecycleMetadata> parse(const image::Image& image);
    // Only what a later build reuses: the buildpacks. Throws Error{invalid_input}.
    static LifecycleMetadata parse_text(const std::string& json);

    const BuildpackRecord* find(const std::string& id) const;
};

// A process with the buildpack that named it.
struct NamedProcess {
    buildpacks::Process process;
    std::string buildpack_id;
};

std::string render_build_metadata(const std::vector<const buildpacks::Buildpack*>& group,
                                  const std::vector<NamedProcess>& processes);
// <layers>/config/metadata.toml, which the launcher reads.
std::string render_launch_metadata(const std::vector<const buildpacks::Buildpack*>& group,
                                   const std::vector<NamedProcess>& processes);

} // namespace builder
