#include "repositories.h"

#include "base/beneath.h"
#include "base/error.h"
#include "base/log.h"
#include "base/process.h"
#include "base/temp_dir.h"
#include "base/text.h"

#include <chrono>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

namespace server {
namespace {

namespace fs = std::filesystem;

// git holds a ref's lock for milliseconds.
constexpr auto longest_lock = std::chrono::seconds(30);

bool is_litter(const fs::path& name) {
    const auto text = name.string();
    return text.ends_with(".lock") || text.starts_with("tmp_objdir-") ||
           text.starts_with("tmp_pack_") || text.starts_with("tmp_idx_") ||
           text.starts_with("tmp_rev_");
}

// Where git leaves its own: the top, objects and objects/pack, and all of refs and logs. The
// fan-out directories of objects are not walked.
void sweep_directory(const fs::path& directory, bool deep) {
    std::error_code ignored;
    for (const auto& entry : fs::directory_iterator(directory, ignored)) {
        if (is_litter(entry.path().filename())) {
            base::log::info("swept", {{"path", entry.path().native()}});
            base::remove_tree(entry.path());
        } else if (deep && entry.is_directory(ignored) && !entry.is_symlink(ignored)) {
            sweep_directory(entry.path(), true);
        }
    }
}

bool remove_old_lock(int directory, const fs::path& name) {
    struct stat found {};
    if (::fstatat(directory, name.c_str(), &found, AT_SYMLINK_NOFOLLOW) != 0) return false;
    const auto since = std::chrono::system_clock::from_time_t(found.st_mtime);
    if (since + longest_lock > std::chrono::system_clock::now()) return false;
    return ::unlinkat(directory, name.c_str(), 0) == 0;
}

} // namespace

void Repositories::create(const std::string& app) const {
    run_git({"init", "--bare", "--quiet", "--template=", "--initial-branch=main",
             state_.repository(app).string()});
}

void Repositories::point_head(const std::string& app, const std::string& ref) const noexcept {
    try {
        const auto repository = state_.repository(app);
        const auto head = base::read_beneath(repository, "HEAD", 4096).value_or("");
        if (base::trim(head) == "ref: " + ref) return;
        run_git({"--git-dir=" + repository.string(), "symbolic-ref", "HEAD", ref});
    } catch (const std::exception& error) {
        base::log::warning("HEAD could not be moved", {{"app", app}, {"reason", error.what()}});
    }
}

std::string Repositories::run_git(std::vector<std::string> arguments) const {
    base::Command command;
    command.argv = {"git"};
    command.argv.insert(command.argv.end(), arguments.begin(), arguments.end());
    command.environment = {"PATH=/usr/local/bin:/usr/bin:/bin", "HOME=/nonexistent",
                           "GIT_CONFIG_NOSYSTEM=1", "GIT_CONFIG_GLOBAL=/dev/null"};
    command.run_as = run_as(owner_);
    auto result = base::run(std::move(command), base::Stop{}.within(std::chrono::seconds(30)));
    if (!result.status.ok())
        throw base::Error(base::ErrorKind::internal, "git could not work on the repository: " +
                                                         base::printable(base::trim(result.error)));
    return std::move(result.output);
}

std::string Repositories::head_of(const std::string& app, const std::string& ref) const noexcept {
    try {
        return std::string(
            base::trim(run_git({"--git-dir=" + state_.repository(app).string(), "for-each-ref",
                                "--format=%(objectname)", "--", ref})));
    } catch (const std::exception& error) {
        base::log::warning("a ref cannot be read", {{"app", app}, {"reason", error.what()}});
        return {};
    }
}

void Repositories::remove(const std::string& app) const {
    base::remove_tree(state_.repository(app));
}

void Repositories::sweep_lock(const std::string& app, const std::string& ref) const noexcept {
    // A branch that HEAD names is moved under both locks.
    for (const auto& name : {ref, std::string("HEAD"), std::string("packed-refs")}) try {
            const fs::path repository = state_.repository(app), file = name + ".lock";
            const auto parent = file.has_parent_path() ? file.parent_path() : fs::path(".");
            const auto directory =
                base::open_beneath(repository, parent.string(), O_RDONLY | O_DIRECTORY);
            if (directory && remove_old_lock(directory.get(), file.filename()))
                base::log::warning("a killed git left a lock", {{"app", app}, {"ref", name}});
        } catch (const std::exception& error) {
            base::log::warning("a lock cannot be looked at",
                               {{"app", app}, {"reason", error.what()}});
        }
}

void Repositories::sweep() const {
    std::error_code ignored;
    for (const auto& entry : fs::directory_iterator(state_.repositories(), ignored)) {
        const auto& repository = entry.path();
        sweep_directory(repository, false);
        sweep_directory(repository / "objects", false);
        for (const char* part : {"pack", "info"})
            sweep_directory(repository / "objects" / part, false);
        for (const char* part : {"refs", "logs"}) sweep_directory(repository / part, true);
    }
}

} // namespace server
