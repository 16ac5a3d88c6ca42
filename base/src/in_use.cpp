#include "base/in_use.h"

#include "base/error.h"
#include "base/guarded.h"

#include <cerrno>
#include <fcntl.h>
#include <map>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

namespace base {
namespace {

namespace fs = std::filesystem;

UniqueFd open_if_there(const fs::path& path) {
    UniqueFd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK));
    if (!file && errno != ENOENT) throw_errno("could not open " + path.string());
    return file;
}

// False: another holds it, and `how` does not wait.
bool lock(const UniqueFd& file, int how, const fs::path& path) {
    while (::flock(file.get(), how) != 0) {
        if (errno == EWOULDBLOCK) return false;
        if (errno != EINTR) throw_errno("could not lock " + path.string());
    }
    return true;
}

// It may have been renamed, or replaced, before its lock was ours.
bool still_stands(const UniqueFd& file, const fs::path& path) {
    struct stat locked {
    }, there{};
    return ::fstat(file.get(), &locked) == 0 && ::lstat(path.c_str(), &there) == 0 &&
           locked.st_dev == there.st_dev && locked.st_ino == there.st_ino;
}

} // namespace

UniqueFd use(const fs::path& path) {
    for (;;) {
        UniqueFd file = open_if_there(path);
        if (!file) return {};
        lock(file, LOCK_SH, path);
        if (still_stands(file, path)) return file;
    }
}

bool use_to_the_end(const fs::path& path) {
    static Guarded<std::map<fs::path, UniqueFd>> used;
    UniqueFd file = use(path);
    if (!file) return false;
    // The older one is of what stood there before, or of the same: this one holds it, too.
    used.lock()->insert_or_assign(path, std::move(file));
    return true;
}

bool while_unused(const fs::path& path, const std::function<void()>& decide) {
    const UniqueFd file = open_if_there(path);
    if (!file || !lock(file, LOCK_EX | LOCK_NB, path) || !still_stands(file, path)) return false;
    decide();
    return true;
}

} // namespace base
