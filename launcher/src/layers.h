// What the layers of an image bring to a launch, in the one order that holds for all of it:
// buildpacks as they ran in the build, then layers by name, then files by name.
#pragma once

#include "documents.h"
#include "environment.h"

#include <string>
#include <vector>

namespace launch {

class Layers {
  public:
    Layers(std::string directory, const std::vector<Buildpack>& buildpacks);

    // Per buildpack the roots of all its layers first, then the env directories of each.
    void apply_environment(Environment& environment, const std::string& process_type) const;

    // Absolute paths of the files of `<layer>/<kind>` and `<layer>/<kind>/<process type>`, for
    // the kinds `exec.d` and `profile.d`.
    std::vector<std::string> files(const std::string& kind, const std::string& process_type) const;

  private:
    // One list of layer directories for each buildpack that has any.
    std::vector<std::vector<std::string>> layers_;
};

} // namespace launch
