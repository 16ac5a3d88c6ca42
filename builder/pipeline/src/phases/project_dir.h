// PROJECT_DIR: the app is a folder of the repository (a monorepo). Right after fetch, before
// anything of the source runs.
#pragma once

#include "sources/choice.h"

#include <filesystem>
#include <string>
#include <vector>

namespace builder {

// Makes the folder `project` of `app` the whole app. Answers scalingo.json and app.json of the
// folders above it, nearest first, for the choice of buildpacks. Throws Error{invalid_input} when
// there is no such folder inside the source, or a link on the way to it.
std::vector<sources::ParentJson> enter_project_directory(const std::filesystem::path& app,
                                                         const std::string& project);

} // namespace builder
