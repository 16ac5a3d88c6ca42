#include "workspace.h"

#include "base/error.h"

#include <unistd.h>

namespace builder {

void give_to(const std::filesystem::path& path, BuildUser user) {
    if (::lchown(path.c_str(), user.uid, user.gid) != 0)
        base::throw_errno("could not hand over " + path.string());
}

void make_directories(const Workspace& workspace, BuildUser user) {
    namespace fs = std::filesystem;
    for (const auto& path : {workspace.app, workspace.plans, workspace.home}) {
        fs::create_directories(path);
        give_to(path, user);
    }
    // The layers follow once they are restored: detection has no business there.
    for (const auto& path : {workspace.layers, workspace.platform / "env", workspace.scratch})
        fs::create_directories(path);
}

} // namespace builder
