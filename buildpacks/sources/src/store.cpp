#include "store.h"

#include "base/error.h"
#include "base/in_use.h"
#include "base/temp_dir.h"
#include "image/digest.h"

#include <cerrno>
#include <chrono>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

namespace sources {

namespace fs = std::filesystem;

Store::Store(fs::path root) : root_(std::move(root)) {
    for (const char* part : {"git", "trees", "urls", "incoming", "locks"})
        fs::create_directories(root_ / part);
}

std::optional<fs::path> Store::find(const std::string& name) const {
    auto tree = root_ / "trees" / name;
    // Its time is that of its last use: what is not used leaves after a while.
    if (!base::use_to_the_end(tree)) return std::nullopt;
    ::utimensat(AT_FDCWD, tree.c_str(), nullptr, 0);
    return tree;
}

fs::path Store::obtain(const std::string& name, const std::function<void(const fs::path&)>& fill,
                       const base::Stop& stop) const {
    if (auto tree = find(name)) return *tree;
    const auto held = lock("tree-" + name, stop);
    if (auto tree = find(name)) return *tree;
    const auto half = incoming() / name;
    base::remove_tree(half);
    fs::create_directory(half);
    ::chmod(half.c_str(), 0755);
    try {
        fill(half);
        const auto directory = base::open_file(half, O_RDONLY | O_DIRECTORY);
        // A name in trees/ is a promise that outlives a power cut.
        if (::syncfs(directory.get()) != 0)
            base::throw_errno("could not write a buildpack to the disk");
    } catch (...) { // above all a full disk, which must not stay full because of it
        base::remove_tree(half);
        throw;
    }
    const auto tree = root_ / "trees" / name;
    const auto used = base::use(half); // before others see it: nobody removes it in between
    fs::rename(half, tree);
    base::use_to_the_end(tree);
    return tree;
}

base::UniqueFd Store::lock(const std::string& name, const base::Stop& stop) const {
    base::UniqueFd file = base::open_file(root_ / "locks" / name, O_RDWR | O_CREAT, 0600);
    while (::flock(file.get(), LOCK_EX | LOCK_NB) != 0) {
        if (errno != EWOULDBLOCK && errno != EINTR)
            base::throw_errno("could not lock the store of buildpacks");
        // flock has no descriptor to wait on; another build fetches the same.
        if (stop.wait(std::chrono::milliseconds(20)))
            stop.throw_if_over("waiting for another build to fetch a buildpack");
    }
    ::futimens(file.get(), nullptr); // when what it guards was used
    return file;
}

std::string key_of(std::string_view text) {
    return image::Digest::of(text).hex().substr(0, 32);
}

} // namespace sources
