#include "programs.h"

#include "base/error.h"

namespace server {

namespace fs = std::filesystem;
using base::Error;
using base::ErrorKind;

Programs find_programs(const Config& config) {
    Programs programs;
    programs.directory = config.paths.programs.empty()
                             ? fs::read_symlink("/proc/self/exe").parent_path()
                             : config.paths.programs;
    programs.launcher = config.paths.launcher.empty() ? programs.directory : config.paths.launcher;
    for (const auto& directory : config.paths.buildpacks)
        programs.buildpacks.push_back(fs::weakly_canonical(directory));
    if (programs.buildpacks.empty())
        programs.buildpacks.push_back(
            fs::weakly_canonical(programs.directory / "../share/slipway/buildpacks"));
    for (const char* name : {"slipway-ssh", "slipway-hook", "slipway-worker"})
        if (!fs::exists(programs.directory / name))
            throw Error(ErrorKind::not_found, (programs.directory / name).string() + " is missing",
                        "Set paths.programs to the directory of Slipway's programs.");
    return programs;
}

void install_door_programs(const StateDirectory& state, const fs::path& from) {
    make_directory(state.programs() / "hooks", 0755);
    const auto copy = [&](const char* name, const fs::path& to) {
        auto draft = to;
        draft += ".new";
        fs::copy_file(from / name, draft, fs::copy_options::overwrite_existing);
        fs::permissions(draft, fs::perms(0755));
        fs::rename(draft, to);
    };
    copy("slipway-ssh", state.programs() / "slipway-ssh");
    for (const char* hook : {"pre-receive", "post-receive"})
        copy("slipway-hook", state.programs() / "hooks" / hook);
}

} // namespace server
