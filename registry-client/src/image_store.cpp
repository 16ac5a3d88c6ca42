#include "registry/image_store.h"

#include "base/beneath.h"
#include "base/error.h"
#include "base/fd.h"
#include "base/in_use.h"
#include "base/json.h"
#include "base/temp_dir.h"
#include "image/image.h"
#include "image/unpack.h"

#include <nlohmann/json.hpp>

#include <fcntl.h>
#include <linux/openat2.h>
#include <poll.h>
#include <set>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/xattr.h>
#include <unistd.h>

namespace registry {
namespace {

namespace fs = std::filesystem;

// Held until it goes out of scope, or its process ends in whatever way.
base::UniqueFd lock(const fs::path& path, const base::Stop& stop) {
    base::UniqueFd file = base::open_file(path, O_RDWR | O_CREAT, 0600);
    while (::flock(file.get(), LOCK_EX | LOCK_NB) != 0) {
        if (errno != EWOULDBLOCK && errno != EINTR)
            base::throw_errno("could not lock " + path.string());
        // flock has no descriptor to wait on; another build is unpacking the same layer.
        if (stop.wait(std::chrono::milliseconds(20)))
            stop.throw_if_over("waiting for another build to unpack the stack");
    }
    return file;
}

// Whether the layers below this one do not count there: something else took the directory's place,
// or it began anew.
bool hides_below(const fs::path& layer, const fs::path& path) {
    auto place = layer;
    for (const auto& part : path) {
        place /= part;
        struct stat status {};
        if (::lstat(place.c_str(), &status) != 0) return false;
        char opaque = 0;
        if (!S_ISDIR(status.st_mode) ||
            (::lgetxattr(place.c_str(), "user.overlay.opaque", &opaque, 1) == 1 && opaque == 'y'))
            return true;
    }
    return false;
}

} // namespace

ImageStore::ImageStore(fs::path directory, Settings settings)
    : directory_(std::move(directory)), settings_(std::move(settings)) {
    for (const char* part : {"layers", "images", "incoming", "locks"})
        fs::create_directories(directory_ / part);
}

fs::path ImageStore::layer_path(const image::Layer& layer) const {
    return directory_ / "layers" / layer.diff_id.hex();
}

PinnedImage ImageStore::read(const image::Reference& reference, const base::Stop& stop) const {
    if (!reference.digest)
        throw base::Error(base::ErrorKind::invalid_input,
                          "the stack's image " + reference.render() + " has no digest",
                          "Name it again: slipway stack use NAME --build REF --run REF");
    const auto kept = directory_ / "images" / (reference.digest->hex() + ".json");
    if (fs::exists(kept)) try {
            const auto value = base::json::parse(base::read_file(kept), kept.string());
            ::utimensat(AT_FDCWD, kept.c_str(), nullptr, 0); // when it was used: the rest leaves
            return {reference, image::Image::parse(base::json::get_string(value, "manifest"),
                                                   base::json::get_string(value, "config"))};
        } catch (const base::Error&) { // damaged on the disk: asked for again
        }
    const auto store =
        registry::open_repository(reference.registry, reference.repository, settings_);
    auto image = image::read_image(*store, reference.digest->render(), image::this_architecture(),
                                   reference.render(), stop);
    base::replace_file(kept, base::json::render({{"manifest", image.render_manifest()},
                                                 {"config", image.render_config()}}));
    return {reference, std::move(image)};
}

std::vector<fs::path> ImageStore::unpack(const PinnedImage& image, const base::Stop& stop,
                                         const image::UnpackLimits& limits) const {
    const auto store =
        registry::open_repository(image.reference.registry, image.reference.repository, settings_);
    std::vector<fs::path> paths;
    for (const auto& layer : image.image.layers()) {
        // Whoever removes what nobody uses may come between the two.
        while (!base::use_to_the_end(layer_path(layer))) unpack_layer(*store, layer, stop, limits);
        paths.insert(paths.begin(), layer_path(layer));
    }
    return paths;
}

void ImageStore::unpack_layer(image::BlobStore& store, const image::Layer& layer,
                              const base::Stop& stop, const image::UnpackLimits& limits) const {
    const auto path = layer_path(layer);
    if (fs::exists(path)) return;
    const auto name = layer.diff_id.hex();
    const auto held = lock(directory_ / "locks" / name, stop);
    if (fs::exists(path)) return;

    const auto blob = directory_ / "incoming" / (name + ".blob");
    const auto tree = directory_ / "incoming" / name;
    base::remove_tree(tree); // what a killed build left
    try {
        const auto file = base::open_file(blob, O_RDWR | O_CREAT | O_TRUNC, 0600);
        store.read_blob(
            layer.descriptor, [&](std::string_view bytes) { base::write_all(file.get(), bytes); },
            stop);
        if (::lseek(file.get(), 0, SEEK_SET) != 0) base::throw_errno("could not rewind a layer");
        fs::create_directory(tree);
        fs::permissions(tree, fs::perms(0755));
        const auto diff_id = image::unpack_layer(
            [&](char* buffer, std::size_t size) {
                return base::read_some(file.get(), buffer, size);
            },
            tree, limits, stop);
        if (diff_id != layer.diff_id)
            throw base::Error(base::ErrorKind::invalid_input,
                              "the layer " + layer.descriptor.digest.render() +
                                  " is not what its image's configuration says");
        // A name in layers/ is a promise that outlives a power cut.
        if (::syncfs(file.get()) != 0) base::throw_errno("could not write a layer to the disk");
    } catch (...) { // above all a full disk, which must not stay full because of it
        std::error_code ignored;
        fs::remove(blob, ignored);
        fs::remove_all(tree, ignored);
        throw;
    }
    fs::remove(blob);
    fs::rename(tree, path);
}

std::string read_image_file(const std::vector<fs::path>& layers, const std::string& path) {
    for (const auto& layer : layers) {
        const base::UniqueFd root = base::open_file(layer, O_RDONLY | O_DIRECTORY);
        open_how how{};
        how.flags = O_RDONLY | O_CLOEXEC | O_NONBLOCK;
        how.resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS;
        const base::UniqueFd file(
            static_cast<int>(::syscall(SYS_openat2, root.get(), path.c_str(), &how, sizeof how)));
        struct stat status {};
        if (file && ::fstat(file.get(), &status) == 0 && S_ISREG(status.st_mode))
            return base::read_to_end(file.get(), 64u << 20);
    }
    return {};
}

std::map<std::string, std::string> read_image_directory(const std::vector<fs::path>& layers,
                                                        const std::string& path) {
    std::map<std::string, std::string> files;
    std::set<std::string> seen; // in a layer above, be it as a whiteout
    for (const auto& layer : layers) {
        for (const auto& entry : base::list_beneath(layer, path)) {
            if (!seen.insert(entry.name).second || entry.type != base::EntryType::file) continue;
            if (auto bytes = base::read_beneath(layer, path + "/" + entry.name))
                files.emplace(entry.name, std::move(*bytes));
        }
        if (hides_below(layer, path)) break;
    }
    return files;
}

} // namespace registry
