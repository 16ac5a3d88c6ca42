// What a build with classic buildpacks in it has besides the others': a second folder with the
// source, buildpacks that may write, and what their .profile.d and bin/release mean for the image.
// Used by one thread; nothing runs in the sandbox meanwhile.
#pragma once

#include "lifecycle_metadata.h"
#include "phases/build.h"
#include "workspace.h"

#include "buildpacks/catalog.h"
#include "buildpacks/environment.h"

namespace builder {

// STACK, REQUEST_ID, SOURCE_VERSION, ...; with job.variables_in_environment the user's variables
// too, but those that no buildpack exports. build_image: NAME=VALUE of its configuration.
buildpacks::Environment classic_environment(const Job& job,
                                            const std::vector<std::string>& build_image);

// What they are told as SOURCE_VERSION: the commit, or an archive's name.
std::string revision_of(const Job& job);

// Every buildpack of the catalog at its mount point: those that may write into themselves as a copy
// of this build's own. With a classic one among them, a second copy of the source too.
std::vector<engine::Mount> buildpack_mounts(const buildpacks::Catalog& catalog,
                                            const Workspace& workspace, BuildUser user,
                                            const base::Stop& stop);

// Where the app lies in the image.
buildpacks::AppDirectory app_directory_of(const std::vector<BuiltMember>& built);
bool has_classic(const Group& group);
bool has_classic(const buildpacks::Catalog& catalog);
// Classic platforms read the Procfile after the build: a buildpack may have brought it from a
// folder of the repository. The group, with the Procfile's buildpack for that case.
Group with_late_procfile(Group group, const buildpacks::Catalog& catalog);

// After the last buildpack: .profile.d/00_config_vars.sh by the last bin/release; .slugignore, when
// this is its moment; and no slices of folders that are not there any more.
void finish_classic_app(std::vector<BuiltMember>& built, const Workspace& workspace,
                        SlugIgnore moment, Reporter& report);
// Direct processes get what .profile.d sets by an exec.d program of their own type.
void link_direct_processes(const std::vector<BuiltMember>& built,
                           const std::vector<NamedProcess>& processes, const Workspace& workspace);

} // namespace builder
