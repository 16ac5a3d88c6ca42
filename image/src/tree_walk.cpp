#include "tree_walk.h"

#include "base/error.h"
#include "base/fd.h"
#include "base/text.h"

#include <algorithm>
#include <climits>
#include <dirent.h>
#include <fcntl.h>
#include <memory>
#include <unistd.h>
#include <vector>

namespace image {
namespace {

constexpr int deepest = 256; // one open descriptor each

struct Walk {
    EntryOrder order;
    const std::function<bool(std::string_view)>& keep;
    const std::function<void(const TreeEntry&)>& visit;
    std::string relative;

    void directory(base::UniqueFd fd, int depth);
    void entry(int parent, const std::string& name, int depth);
    void descend(int parent, const std::string& name, int depth);
    [[noreturn]] void fail(const char* doing) const {
        base::throw_errno(std::string("could not ") + doing + " " + base::quoted(relative));
    }
};

std::vector<std::string> list(int directory) {
    const int copy = ::fcntl(directory, F_DUPFD_CLOEXEC, 0);
    if (copy < 0) base::throw_errno("could not list a directory");
    const std::unique_ptr<DIR, int (*)(DIR*)> stream(::fdopendir(copy), ::closedir);
    if (!stream) base::throw_errno("could not list a directory");
    std::vector<std::string> names;
    while (const dirent* found = (errno = 0, ::readdir(stream.get()))) {
        const std::string_view name = found->d_name;
        if (name != "." && name != "..") names.emplace_back(name);
    }
    if (errno != 0) base::throw_errno("could not list a directory");
    return names;
}

// by_path: what lies below "a" sorts as "a/", after "a-b" and "a.txt". So each directory has two
// keys, its own and that of its content, and the order is decided among siblings alone.
void Walk::directory(base::UniqueFd fd, int depth) {
    if (depth > deepest)
        throw base::Error(base::ErrorKind::invalid_input,
                          "the tree is deeper than 256 directories at " +
                              base::quoted(relative.substr(0, 200)));
    std::vector<std::string> keys = list(fd.get());
    if (order == EntryOrder::by_path) {
        std::vector<std::string> contents;
        for (const auto& name : keys) {
            struct stat status;
            if (::fstatat(fd.get(), name.c_str(), &status, AT_SYMLINK_NOFOLLOW) != 0) fail("read");
            if (S_ISDIR(status.st_mode)) contents.push_back(name + "/");
        }
        keys.insert(keys.end(), contents.begin(), contents.end());
    }
    std::sort(keys.begin(), keys.end());

    const std::size_t length = relative.size();
    for (auto& key : keys) {
        const bool content = key.back() == '/';
        if (content) key.pop_back();
        if (length > 0) relative += '/';
        relative += key;
        if (!keep || keep(relative)) {
            if (content)
                descend(fd.get(), key, depth);
            else
                entry(fd.get(), key, depth);
        }
        relative.resize(length);
    }
}

void Walk::descend(int parent, const std::string& name, int depth) {
    base::UniqueFd fd(
        ::openat(parent, name.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
    if (!fd) fail("open");
    directory(std::move(fd), depth + 1);
}

void Walk::entry(int parent, const std::string& name, int depth) {
    TreeEntry found{};
    found.relative = relative;
    if (::fstatat(parent, name.c_str(), &found.status, AT_SYMLINK_NOFOLLOW) != 0) fail("read");
    switch (found.status.st_mode & S_IFMT) {
    case S_IFDIR:
        visit(found);
        if (order == EntryOrder::depth_first) descend(parent, name, depth);
        return;
    case S_IFLNK: {
        char target[PATH_MAX];
        const ssize_t n = ::readlinkat(parent, name.c_str(), target, sizeof target);
        if (n < 0) fail("read the link");
        found.link.assign(target, static_cast<std::size_t>(n));
        return visit(found);
    }
    case S_IFREG: {
        // O_NONBLOCK: what was a file a moment ago may be a fifo by now.
        const base::UniqueFd fd(
            ::openat(parent, name.c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC));
        if (!fd) fail("open");
        if (::fstat(fd.get(), &found.status) != 0) fail("read");
        if (!S_ISREG(found.status.st_mode)) break;
        found.fd = fd.get();
        return visit(found);
    }
    default:
        break;
    }
    throw base::Error(base::ErrorKind::invalid_input,
                      base::quoted(relative) + " is neither a file, a directory nor a link",
                      "Devices, sockets and fifos cannot be part of an image: remove it at the "
                      "end of the build.");
}

} // namespace

void walk_tree(const std::filesystem::path& root, EntryOrder order,
               const std::function<bool(std::string_view relative)>& keep,
               const std::function<void(const TreeEntry&)>& visit) {
    base::while_doing("reading the tree " + root.string(), [&] {
        base::UniqueFd fd = base::open_file(root, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
        TreeEntry top{};
        if (::fstat(fd.get(), &top.status) != 0) base::throw_errno("could not read the tree");
        visit(top);
        Walk{order, keep, visit, {}}.directory(std::move(fd), 0);
    });
}

} // namespace image
