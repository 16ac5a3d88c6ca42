// Where a build's things lie on our side, and where the sandbox sees them. A value.
#pragma once

#include "builder/job.h"
#include "buildpacks/buildpack.h"

#include <filesystem>

namespace builder {

// The build user of a stack: CNB_USER_ID and CNB_GROUP_ID of its build image.
struct BuildUser {
    unsigned uid = 1000;
    unsigned gid = 1000;
};

struct Workspace {
    explicit Workspace(const std::filesystem::path& root)
        : app(root / "app"), layers(root / "layers"), platform(root / "platform"),
          plans(root / "plans"), home(root / "home"), scratch(root / "scratch"),
          bills(root / "bills"), ca_file(root / "ca-certificates.crt"),
          classic_home(root / "classic-home"), buildpacks(root / "buildpack-copies") {}

    std::filesystem::path app, layers, platform, plans, home, scratch;
    std::filesystem::path bills; // of materials: {launch,build,cache}/<buildpack>/[<layer>/]sbom.*
    std::filesystem::path ca_file;
    std::filesystem::path classic_home; // the source once more; only with classic buildpacks
    std::filesystem::path buildpacks;   // copies of those that may write into themselves
    buildpacks::Places inside;          // /workspace, /layers, /platform, /detect
    std::string home_inside = "/home/cnb";
    std::string ca_file_inside = "/etc/ssl/certs/ca-certificates.crt";
};

// Makes the directories; those that buildpacks write to belong to `user`.
void make_directories(const Workspace& workspace, BuildUser user);
void give_to(const std::filesystem::path& path, BuildUser user); // lchown

} // namespace builder
