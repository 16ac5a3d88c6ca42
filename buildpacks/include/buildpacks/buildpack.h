// What a buildpack is, for the phases that use it: something that detects and something that
// builds, in a sandbox. Cloud Native buildpacks are one kind (cnb.h), classic ones will be another;
// after detect nobody asks which. Values and const interfaces: any thread.
// Cloud Native Buildpacks, Buildpack API 0.12 (buildpack.md).
#pragma once

#include "buildpacks/plan.h"

#include "engine/sandbox.h"

#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace buildpacks {

struct Info {
    std::string id;
    std::string version;
    std::string name;
    std::string homepage;
    std::string api; // "0.12"
    bool clear_env = false;
    std::string full_name() const { return id + "@" + version; }
    // A directory name: slashes become underscores (lifecycle's EscapeID).
    std::string escaped_id() const;
};

// Where things lie inside the sandbox.
struct Places {
    std::string app = "/workspace";
    std::string layers = "/layers";
    std::string platform = "/platform";
    std::string scratch = "/detect"; // plan files
};

// An environment under construction; ordered by name.
using Environment = std::map<std::string, std::string>;

enum class Verdict { pass, fail, error };

struct Detection {
    Verdict verdict = Verdict::error;
    int exit_code = 0;
    std::string output;                // bounded, raw
    std::vector<PlanSection> sections; // its top section and each `or`, in order
};

struct Process {
    std::string type;
    std::vector<std::string> command;
    std::vector<std::string> args;
    std::string working_directory; // empty: the app's
    bool is_default = false;
};

struct LayerTypes {
    bool launch = false;
    bool build = false;
    bool cache = false;
};

struct BuiltLayer {
    std::string name;
    LayerTypes types;
    std::string metadata_json; // the [metadata] table
    bool has_content = false;  // false: the previous image's layer is meant
};

// What a buildpack left behind when it built.
struct Built {
    std::vector<BuiltLayer> layers; // by name
    std::vector<Process> processes;
    std::vector<std::pair<std::string, std::string>> labels;
    std::vector<std::string> unmet;
    std::string store_json; // of store.toml's [metadata]; empty without one
};

class Buildpack {
  public:
    virtual ~Buildpack() = default;
    virtual const Info& info() const = 0;
    // On our side; mounted read-only at mount_point() in the sandbox.
    virtual const std::filesystem::path& directory() const = 0;
    virtual std::string mount_point() const = 0;

    // `slot`: a directory of its own below Places::scratch, made by the caller.
    virtual engine::Invocation detect(const Places& places, const std::string& slot,
                                      Environment environment) const = 0;
    virtual Detection read_detection(base::ExitStatus status, std::string output,
                                     const std::filesystem::path& slot) const = 0;

    virtual engine::Invocation build(const Places& places, const std::vector<PlanEntry>& plan,
                                     const std::filesystem::path& slot,
                                     const std::string& slot_inside,
                                     Environment environment) const = 0;
    // `layers`: the /layers directory on our side. Throws Error{buildpack_failed} that names the
    // file when what was left does not follow the specification.
    virtual Built read_build(const std::filesystem::path& layers) const = 0;
};

} // namespace buildpacks
