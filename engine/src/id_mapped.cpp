#include "id_mapped.h"

#include "base/error.h"

#include <cerrno>
#include <csignal>
#include <fcntl.h>
#include <sched.h>
#include <string>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

namespace engine {
namespace {

// A user namespace exists as long as somebody is in it or holds it: a child makes it and waits.
class NamespaceKeeper {
  public:
    NamespaceKeeper() {
        auto ready = base::make_pipe();
        pid_ = ::fork();
        if (pid_ < 0) base::throw_errno("could not fork");
        if (pid_ == 0) {
            ::prctl(PR_SET_PDEATHSIG, SIGKILL);
            const char ok = ::unshare(CLONE_NEWUSER) == 0 ? 'y' : 'n';
            [[maybe_unused]] const auto told = ::write(ready.write.get(), &ok, 1);
            for (;;) ::pause();
        }
        ready.write.reset();
        char answer = 'n';
        base::read_some(ready.read.get(), &answer, 1);
        usable_ = answer == 'y';
    }
    ~NamespaceKeeper() {
        ::kill(pid_, SIGKILL);
        ::waitpid(pid_, nullptr, 0);
    }
    NamespaceKeeper(const NamespaceKeeper&) = delete;
    NamespaceKeeper& operator=(const NamespaceKeeper&) = delete;

    bool usable() const noexcept { return usable_; }
    base::UniqueFd open(const char* file, int flags) const {
        return base::open_file("/proc/" + std::to_string(pid_) + "/" + file, flags | O_CLOEXEC);
    }

  private:
    pid_t pid_ = -1;
    bool usable_ = false;
};

void write_line(const base::UniqueFd& file, unsigned on_disk, unsigned shown) {
    base::write_all(file.get(), std::to_string(on_disk) + " " + std::to_string(shown) + " 1");
}

} // namespace

base::UniqueFd clone_tree(const std::filesystem::path& source) {
    base::UniqueFd tree(::open_tree(AT_FDCWD, source.c_str(), OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC));
    if (!tree) base::throw_errno("could not bind " + source.string());
    return tree;
}

bool map_owner(int tree, unsigned id) {
    struct stat owner {};
    if (::fstat(tree, &owner) != 0) base::throw_errno("could not look at a bound directory");
    const NamespaceKeeper keeper;
    if (!keeper.usable()) return false;
    write_line(keeper.open("uid_map", O_WRONLY), owner.st_uid, id);
    write_line(keeper.open("gid_map", O_WRONLY), owner.st_gid, id);
    const auto user_namespace = keeper.open("ns/user", O_RDONLY);
    mount_attr attributes{};
    attributes.attr_set = MOUNT_ATTR_IDMAP;
    attributes.userns_fd = static_cast<std::uint64_t>(user_namespace.get());
    return ::mount_setattr(tree, "", AT_EMPTY_PATH, &attributes, sizeof attributes) == 0;
}

} // namespace engine
