#include "classic_app.h"

#include "phases/choose.h"

#include "base/beneath.h"
#include "base/error.h"
#include "base/process.h"
#include "base/temp_dir.h"
#include "base/text.h"
#include "slug_ignore.h"

#include <algorithm>
#include <fcntl.h>
#include <set>
#include <sys/stat.h>
#include <unistd.h>

namespace builder {
namespace {

namespace fs = std::filesystem;
using base::Error;
using base::ErrorKind;
using buildpacks::AppDirectory;

// Those that every classic buildpack's own code leaves out, and what would have a buildpack work on
// another repository or fetch another buildpack.
const std::set<std::string>& never_exported() {
    static const std::set<std::string> names{
        "PATH",         "GIT_DIR", "CPATH", "CPPATH",    "LD_PRELOAD",
        "LIBRARY_PATH", "LANG",    "HOME",  "BUILD_DIR", "GIT_QUARANTINE_PATH",
        "BUILDPACK_URL"};
    return names;
}

// Without owners: those of a folder of the machine's need not exist in our namespace.
void copy_tree(const fs::path& from, const fs::path& to, BuildUser user, const base::Stop& stop) {
    fs::create_directories(to);
    const auto copied = base::run({.argv = {"cp", "-dR", "--preserve=mode,timestamps,links",
                                            "--reflink=auto", (from / ".").string(), to.string()},
                                   .environment = base::minimal_environment()},
                                  stop);
    if (!copied.status.ok())
        throw Error(ErrorKind::unavailable,
                    "could not copy " + from.string() + ": " + base::printable(copied.error));
    give_to(to, user);
    for (const auto& entry : fs::recursive_directory_iterator(to)) {
        stop.throw_if_over("copying files");
        give_to(entry.path(), user);
    }
}

base::UniqueFd make_directory(const fs::path& root, const std::string& parent,
                              const std::string& name) {
    const auto above = base::open_beneath(root, parent, O_RDONLY | O_DIRECTORY);
    if (above && ::mkdirat(above.get(), name.c_str(), 0755) != 0 && errno != EEXIST)
        base::throw_errno("could not make " + name);
    return base::open_beneath(root, parent.empty() ? name : parent + "/" + name,
                              O_RDONLY | O_DIRECTORY);
}

fs::path copy_buildpack(const buildpacks::Buildpack& buildpack, const Workspace& workspace,
                        BuildUser user, const base::Stop& stop) {
    const auto& info = buildpack.info();
    auto copy = workspace.buildpacks / (info.escaped_id() + "@" + info.version);
    copy_tree(buildpack.directory(), copy, user, stop);
    return copy;
}

// As other platforms write it: double quotes, so that a value may name other variables.
std::string export_line(const std::string& name, const std::string& value) {
    std::string line = "export " + name + "=\"";
    for (const char c : value) {
        if (c == '"' || c == '\\' || c == '`') line += '\\';
        line += c;
    }
    return line + "\"\n";
}

void write_config_vars(const std::vector<BuiltMember>& built, const Workspace& workspace) {
    const buildpacks::Environment* variables = nullptr;
    for (const auto& member : built)
        if (!member.built.process_set.empty()) variables = &member.built.config_vars;
    if (!variables || variables->empty()) return;
    const auto folder = make_directory(workspace.app, "", ".profile.d");
    if (!folder)
        throw Error(ErrorKind::buildpack_failed,
                    ".profile.d in the app is not a folder: the variables of bin/release have no "
                    "place");
    base::remove_tree(workspace.app / ".profile.d" / "00_config_vars.sh"); // of whatever kind
    const auto file = base::create_beneath(workspace.app, ".profile.d/00_config_vars.sh");
    std::string text;
    for (const auto& [name, value] : *variables) text += export_line(name, value);
    base::write_all(file.get(), text);
}

// Each is one folder that its buildpack added (buildpacks/src/classic_files.cpp); .slugignore or a
// buildpack after it may have taken it away.
void drop_slices_without_folder(std::vector<BuiltMember>& built, const Workspace& workspace) {
    for (auto& [buildpack, what] : built) {
        if (buildpack->app_directory() != AppDirectory::app) continue;
        std::erase_if(what.slices, [&](const buildpacks::Slice& slice) {
            return !base::open_beneath(workspace.app, slice.paths.front(), O_RDONLY | O_DIRECTORY);
        });
    }
}

// The export of an image may be done twice.
bool link_is_there(int folder, const char* name, const std::string& target) {
    if (::symlinkat(target.c_str(), folder, name) == 0) return true;
    std::string there(target.size() + 1, '\0');
    const auto size = ::readlinkat(folder, name, there.data(), there.size());
    return size == static_cast<ssize_t>(target.size()) &&
           there.compare(0, target.size(), target) == 0;
}

} // namespace

bool has_classic(const buildpacks::Catalog& catalog) {
    const auto all = catalog.all();
    return std::any_of(all.begin(), all.end(), [](const auto* buildpack) {
        return buildpack->app_directory() == AppDirectory::app;
    });
}

std::string revision_of(const Job& job) {
    const auto* tree = std::get_if<GitTree>(&job.source);
    return job.revision.empty() && tree ? tree->commit : job.revision;
}

buildpacks::Environment classic_environment(const Job& job,
                                            const std::vector<std::string>& build_image) {
    buildpacks::Environment environment;
    if (job.variables_in_environment)
        for (const auto& [name, value] : job.environment)
            if (!never_exported().contains(name)) environment[name] = value;
    const auto own = [&](const std::string& name) {
        for (const auto& entry : build_image)
            if (entry.starts_with(name + "=")) return entry.substr(name.size() + 1);
        return std::string();
    };
    auto& stack = environment["STACK"];
    stack = job.stack.classic_name;
    if (stack.empty()) stack = own("STACK");
    if (stack.empty()) stack = own("CNB_STACK_ID");
    if (stack.empty()) stack = job.stack.name;
    environment["REQUEST_ID"] = job.id;
    environment["SOURCE_VERSION"] = revision_of(job);
    environment["CURL_CONNECT_TIMEOUT"] = "30";
    environment["CURL_TIMEOUT"] = "180";
    environment["BUILDPACK_LOG_FILE"] = "/dev/null";
    return environment;
}

std::vector<engine::Mount> buildpack_mounts(const buildpacks::Catalog& catalog,
                                            const Workspace& workspace, BuildUser user,
                                            const base::Stop& stop) {
    using Mounting = buildpacks::Buildpack::Mounting;
    const auto writable = engine::Mount::Access::read_write;
    std::vector<engine::Mount> mounts;
    for (const auto* buildpack : catalog.all()) {
        if (buildpack->mounting() == Mounting::read_only)
            mounts.push_back({buildpack->directory(), buildpack->mount_point()});
        if (buildpack->mounting() == Mounting::read_write)
            mounts.push_back({copy_buildpack(*buildpack, workspace, user, stop),
                              buildpack->mount_point(), writable});
    }
    if (has_classic(catalog)) {
        copy_tree(workspace.app, workspace.classic_home, user, stop);
        mounts.push_back({workspace.classic_home, workspace.inside.classic_home, writable});
    }
    return mounts;
}

AppDirectory app_directory_of(const std::vector<BuiltMember>& built) {
    return std::any_of(built.begin(), built.end(),
                       [](const BuiltMember& member) {
                           return member.buildpack->app_directory() == AppDirectory::app;
                       })
               ? AppDirectory::app
               : AppDirectory::workspace;
}

bool has_classic(const Group& group) {
    return std::any_of(group.begin(), group.end(), [](const Member& member) {
        return member.buildpack->app_directory() == AppDirectory::app;
    });
}

Group with_late_procfile(Group group, const buildpacks::Catalog& catalog) {
    const buildpacks::OrderElement procfile{procfile_buildpack, {}, true};
    const bool chosen = std::any_of(group.begin(), group.end(), [&](const Member& member) {
        return member.buildpack->info().id == procfile.id;
    });
    if (!chosen && has_classic(group) && catalog.contains(procfile))
        group.push_back({&catalog.find(procfile), {}, "Procfile"});
    return group;
}

void finish_classic_app(std::vector<BuiltMember>& built, const Workspace& workspace,
                        SlugIgnore moment, Reporter& report) {
    write_config_vars(built, workspace);
    if (moment == SlugIgnore::after) apply_slug_ignore(workspace.app, report);
    drop_slices_without_folder(built, workspace);
}

void link_direct_processes(const std::vector<BuiltMember>& built,
                           const std::vector<NamedProcess>& processes, const Workspace& workspace) {
    const auto it = std::find_if(built.begin(), built.end(), [](const BuiltMember& member) {
        return !member.built.direct_process_program.empty();
    });
    if (it == built.end()) return;
    const auto& program = it->built.direct_process_program;
    const auto layer =
        it->buildpack->info().escaped_id() + "/" + program.substr(0, program.find('/'));
    for (const auto& [process, whose] : processes) {
        if (!process.direct) continue;
        make_directory(workspace.layers, layer, "exec.d");
        const auto folder = make_directory(workspace.layers, layer + "/exec.d", process.type);
        const auto target = "../.." + program.substr(program.find('/'));
        if (!folder || !link_is_there(folder.get(), "app-profile", target))
            throw Error(ErrorKind::buildpack_failed,
                        "the layer " + layer + " was changed after it was made");
    }
}

} // namespace builder
