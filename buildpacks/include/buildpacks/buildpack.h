// What a buildpack is, for the phases that use it: something that detects and something that
// builds, in a sandbox. Cloud Native buildpacks are one kind, classic ones another (catalog.h loads
// both); after detect nobody asks which. Image extensions are a third: their bin/generate stands
// for bin/build, before all of them. Values and const interfaces: any thread. Cloud Native
// Buildpacks, Buildpack API 0.12 (buildpack.md, image_extension.md).
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

// Where a buildpack says it works (buildpack.toml, [[targets]]). An empty field means any.
struct Distribution {
    std::string name;
    std::string version;
};
struct Target {
    std::string os;
    std::string architecture;
    std::string variant;
    std::vector<Distribution> distributions;
};

struct Info {
    std::string id;
    std::string version;
    std::string name;
    std::string homepage;
    std::string api; // "0.12"
    bool clear_env = false;
    std::string description;
    std::vector<Target> targets;             // empty: none given
    std::vector<std::string> execution_envs; // [buildpack] exec-env; empty: any
    std::vector<std::string> sbom_formats;   // media types
    std::string source;                      // pinned origin, for people: "https://...#<commit>"
    std::string full_name() const { return id + "@" + version; }
    // Its Buildpack API is 0.<minor> or later. False for classic buildpacks, which have none.
    bool has_api(unsigned minor) const;
    // A directory name: slashes become underscores (lifecycle's EscapeID).
    std::string escaped_id() const;
};

// An environment under construction; ordered by name.
using Environment = std::map<std::string, std::string>;

// A file of an environment directory: <name> or <name>.<action> (buildpack.md, "Environment
// Variable Modification Rules").
struct Modification {
    enum class Action { override_, default_, append, prepend };
    std::string name;
    Action action = Action::override_;
    std::string value;
    std::string delimiter; // of append and prepend
};

// Where things lie inside the sandbox.
struct Places {
    std::string app = "/workspace";
    std::string layers = "/layers";
    std::string platform = "/platform";
    std::string scratch = "/detect"; // plan files
    std::string classic_home =
        "/app"; // classic buildpacks: HOME, a copy of the source beside `app`
};

// The same on our side, for what is read after a command ended. Everything in it may be a
// stranger's: read with base/beneath.h.
struct HostPlaces {
    std::filesystem::path app;
    std::filesystem::path layers;
    std::filesystem::path slot; // of this build: Places::scratch/<slot>
};

// What the platform has for a buildpack's environment. Each kind takes what its API says.
struct Variables {
    Environment base;     // the build image's, with what the buildpacks before added
    Environment platform; // the user's; they are files in <platform>/env besides
    Environment classic;  // STACK, REQUEST_ID, SOURCE_VERSION, ...: of classic buildpacks
    // The operator's (<build-config>/env of a builder), over all of these: for every kind, and with
    // clear-env too.
    std::vector<Modification> operators;
};

enum class Verdict { pass, fail, error };

struct Detection {
    Verdict verdict = Verdict::error;
    int exit_code = 0;
    std::string output;                // bounded, raw
    std::string name;                  // "Node.js": what a classic bin/detect printed
    std::vector<PlanSection> sections; // its top section and each `or`, in order
};

struct Process {
    std::string type;
    std::vector<std::string> command;
    std::vector<std::string> args;
    std::string working_directory; // empty: the app's
    bool is_default = false;
    // false: through a shell that sources profile.d and .profile (Buildpack API below 0.9,
    // classic).
    bool direct = true;
    std::vector<std::string> execution_envs; // exec-env (API 0.12); empty: any
    bool gave_args = false; // `args` was written, be it empty: the labels tell the two apart
};

// Files of the app that become a layer of their own (launch.toml, [[slices]]).
struct Slice {
    std::vector<std::string> paths; // globs, relative to the app
};

// A software bill of materials that a buildpack wrote (buildpack.md,
// "Software-Bill-of-Materials").
struct BillOfMaterials {
    enum class Of { launch, build, layer } of = Of::layer;
    std::string layer;  // empty unless Of::layer
    std::string format; // "cdx", "spdx" or "syft"
    // <layer>.sbom.<format>.json, launch.sbom..., build.sbom... in <layers>/<escaped id>.
    std::string file_name() const;
};

struct LayerTypes {
    bool launch = false;
    bool build = false;
    bool cache = false;
};

struct BuiltLayer {
    std::string name;
    LayerTypes types;
    std::string metadata_json; // the [metadata] table; "null" without one
    bool has_content = false;  // false: the previous image's layer is meant
};

// What a buildpack left behind when it built.
struct Built {
    std::vector<BuiltLayer> layers; // by name
    std::vector<Process> processes;
    std::vector<std::pair<std::string, std::string>> labels;
    std::vector<std::string> unmet;
    std::string store_json; // of store.toml's [metadata], "null" without; empty: no store.toml
    std::vector<Slice> slices;
    std::vector<BillOfMaterials> bills;
    // The old [[bom]] of launch.toml, as JSON list: [{"name", "metadata"}]; empty without one.
    std::string legacy_bill_json;
    std::vector<std::string> warnings; // what was left out of it, for the log
    // What buildpacks after this one find in their environment besides the layers' (classic
    // `export`): names with their whole new values.
    Environment exported;
    // Processes of an earlier buildpack with the same non-empty set give way to these, all of them:
    // of classic buildpacks the last bin/release speaks alone.
    std::string process_set;
    // A program in one of this buildpack's launch layers ("<layer>/<path>") that exec.d runs for
    // direct processes, so that they see what a classic app's .profile.d sets. Empty: none.
    std::string direct_process_program;
    // The app's variables with their values at run time, of the bin/release that speaks
    // (process_set), and the services that it would like to have.
    Environment config_vars;
    std::vector<std::string> addons;
    // Of an image extension: the run image that it switches to, as written. Empty: as it was.
    std::string run_image;
};

// Where the app lies in the image when this buildpack took part. One `app` moves the whole image.
enum class AppDirectory { workspace, app };

enum class Role { buildpack, extension };

class Buildpack {
  public:
    virtual ~Buildpack() = default;
    virtual const Info& info() const = 0;
    // On our side; mounted read-only at mount_point() in the sandbox.
    virtual const std::filesystem::path& directory() const = 0;
    virtual std::string mount_point() const = 0;
    // read_write: the build gets a copy of its own (a classic buildpack writes into its directory).
    // none: the build image has it at mount_point().
    enum class Mounting { none, read_only, read_write };
    virtual Mounting mounting() const { return Mounting::read_only; }
    virtual AppDirectory app_directory() const { return AppDirectory::workspace; }
    virtual Role role() const { return Role::buildpack; }
    // Extensions alone may lack either program: then it is not run, and what read_detection or
    // read_build answers is what the extension brought ready-made.
    virtual bool has_detect() const { return true; }
    virtual bool has_build() const { return true; }

    // Of Cloud Native buildpacks: `base`, and `platform` unless clear-env; then `operators`.
    virtual Environment environment(const Variables& variables) const;

    // `slot`: a directory of its own below Places::scratch, made by the caller.
    virtual engine::Invocation detect(const Places& places, const std::string& slot,
                                      Environment environment) const = 0;
    virtual Detection read_detection(base::ExitStatus status, std::string output,
                                     const std::filesystem::path& slot) const = 0;

    virtual engine::Invocation build(const Places& places, const std::vector<PlanEntry>& plan,
                                     const std::filesystem::path& slot,
                                     const std::string& slot_inside,
                                     Environment environment) const = 0;
    // Throws Error{buildpack_failed} that names the file when what was left does not follow the
    // specification.
    virtual Built read_build(const HostPlaces& places) const = 0;
    // What the buildpack has to tell about its build (classic bin/report), JSON; also after a build
    // that failed. Never throws for what it finds.
    virtual std::optional<std::string> read_report(const HostPlaces&) const { return std::nullopt; }
};

} // namespace buildpacks
