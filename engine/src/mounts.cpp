#include "mounts.h"

#include "id_mapped.h"

#include "base/error.h"

#include <cerrno>
#include <fcntl.h>
#include <string>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

namespace engine {
namespace {

namespace fs = std::filesystem;

void mount_or_throw(const char* source, const fs::path& target, const char* type,
                    unsigned long flags, const std::string& data, const std::string& what) {
    if (::mount(source, target.c_str(), type, flags, data.c_str()) != 0)
        base::throw_errno("could not mount " + what);
}

bool is_open_to_all(const char* device) {
    struct stat info {};
    return ::stat(device, &info) == 0 && S_ISCHR(info.st_mode) && (info.st_mode & 0666) == 0666;
}

// slirp4netns opens this path as the inner root, whom the host's mode (often 0600) keeps out. What
// the device gives is limited by the network namespace, not by its mode.
void provide_tun() {
    if (is_open_to_all("/dev/net/tun")) return;
    ::mkdir("/dev/net", 0755);
    mount_or_throw("tmpfs", "/dev/net", "tmpfs", MS_NOSUID | MS_NOEXEC, "mode=755,size=4k",
                   "/dev/net");
    if (::mknod("/dev/net/tun", S_IFCHR | 0666, makedev(10, 200)) != 0 ||
        ::chmod("/dev/net/tun", 0666) != 0)
        base::throw_errno("could not make /dev/net/tun");
}

base::UniqueFd open_directory(const fs::path& path) {
    return base::open_file(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
}

std::string path_of(const base::UniqueFd& fd) {
    return "/proc/self/fd/" + std::to_string(fd.get());
}

} // namespace

void make_private() {
    mount_or_throw(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, "", "/ apart from the host");
}

void mount_proc() {
    mount_or_throw("proc", "/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, "", "/proc");
}

// Covered, not unmounted: in a user namespace the host's mounts are locked in place.
void hide_hybrid_cgroup() {
    const char* unified = "/sys/fs/cgroup/unified";
    if (::access(unified, F_OK) != 0) return;
    mount_or_throw("tmpfs", unified, "tmpfs", MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOEXEC,
                   "size=4k", std::string("a cover over ") + unified);
}

void prepare_host_mounts() {
    make_private();
    mount_proc();
    hide_hybrid_cgroup();
    provide_tun();
}

void bind_read_only(const fs::path& source, const fs::path& target, unsigned first_id) {
    std::error_code failure;
    if (fs::is_directory(source)) fs::create_directories(target, failure);
    if (failure) base::throw_errno(failure.value(), "could not make " + target.string());
    const auto tree = clone_tree(source);
    if (first_id != 0) map_owner(tree.get(), first_id);
    mount_attr attributes{};
    attributes.attr_set = MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV;
    if (::mount_setattr(tree.get(), "", AT_EMPTY_PATH, &attributes, sizeof attributes) != 0)
        base::throw_errno("could not make " + source.string() + " read-only");
    if (::move_mount(tree.get(), "", AT_FDCWD, target.c_str(), MOVE_MOUNT_F_EMPTY_PATH) != 0)
        base::throw_errno("could not bind " + source.string());
}

// Layers are named by descriptor: no character of a path needs an escape, and a long list stays
// within the one page that mount(2) takes. userxattr is what an unprivileged overlay must use.
void mount_overlay(const std::vector<fs::path>& layers, const fs::path& upper, const fs::path& work,
                   const fs::path& target) {
    constexpr std::size_t page = 4000;
    std::vector<base::UniqueFd> open;
    std::string data = "userxattr,lowerdir=";
    for (const auto& layer : layers) {
        open.push_back(open_directory(layer));
        data += (open.size() > 1 ? ":" : "") + path_of(open.back());
    }
    open.push_back(open_directory(upper));
    data += ",upperdir=" + path_of(open.back());
    open.push_back(open_directory(work));
    data += ",workdir=" + path_of(open.back());
    if (layers.empty() || data.size() > page)
        throw base::Error(base::ErrorKind::limit_exceeded,
                          "a sandbox cannot have a root of " + std::to_string(layers.size()) +
                              " layers",
                          "use a build image with fewer layers");
    mount_or_throw("overlay", target, "overlay", MS_NODEV | MS_NOSUID, data,
                   "the sandbox's root (overlayfs)");
}

} // namespace engine
