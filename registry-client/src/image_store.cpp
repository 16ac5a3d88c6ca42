#include "registry/image_store.h"

#include "base/beneath.h"
#include "base/error.h"
#include "base/fd.h"
#include "base/in_use.h"
#include "base/json.h"
#include "base/parallel.h"
#include "base/temp_dir.h"
#include "image/image.h"
#include "image/unpack.h"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/xattr.h>
#include <unistd.h>

namespace registry {
namespace {

namespace fs = std::filesystem;

// Held until it goes out of scope, or its process ends in whatever way. Empty: somebody has it.
base::UniqueFd try_lock(const fs::path& path) {
    base::UniqueFd file = base::open_file(path, O_RDWR | O_CREAT, 0600);
    while (::flock(file.get(), LOCK_EX | LOCK_NB) != 0) {
        if (errno == EWOULDBLOCK) return {};
        if (errno != EINTR) base::throw_errno("could not lock " + path.string());
    }
    return file;
}

base::UniqueFd lock(const fs::path& path, const base::Stop& stop, const base::Stop& others) {
    while (true) {
        if (auto file = try_lock(path)) return file;
        // flock has no descriptor to wait on; another build is unpacking the same layer.
        if (stop.wait(std::chrono::milliseconds(20)))
            stop.throw_if_over("waiting for another build to unpack the stack");
        others.throw_if_over("waiting for another build to unpack the stack");
    }
}

// image-spec config.md, "Layer ChainID": a layer together with all that are below it.
std::vector<image::Digest> chain_ids(const std::vector<image::Layer>& layers) {
    std::vector<image::Digest> chains;
    for (const auto& layer : layers)
        chains.push_back(chains.empty() ? layer.diff_id
                                        : image::Digest::of(chains.back().render() + " " +
                                                            layer.diff_id.render()));
    return chains;
}

std::string name_above(const image::Digest& chain) {
    return "on-" + chain.hex();
}

bool is_opaque(const fs::path& directory) {
    char value = 0;
    return ::lgetxattr(directory.c_str(), "user.overlay.opaque", &value, 1) == 1 && value == 'y';
}

// The lowest `count` of those that have the lowest first, down to one that hides all below it:
// of the root of a layer overlayfs does not ask that.
image::LayersBelow paths_topmost_first(const std::vector<fs::path>& paths, std::size_t count) {
    image::LayersBelow topmost_first;
    while (count > 0) {
        const auto& path = paths[--count];
        // Of a layer that an image has twice the upper one shows all; overlayfs refuses a second.
        if (std::find(topmost_first.begin(), topmost_first.end(), path) == topmost_first.end())
            topmost_first.push_back(path);
        if (is_opaque(path)) break;
    }
    return topmost_first;
}

// Whether the layers below this one do not count there: something else took the directory's place,
// or it began anew.
bool hides_below(const fs::path& layer, const fs::path& path) {
    auto place = layer;
    for (const auto& part : path) {
        place /= part;
        struct stat status {};
        if (::lstat(place.c_str(), &status) != 0) return false;
        if (!S_ISDIR(status.st_mode) || is_opaque(place)) return true;
    }
    return false;
}

} // namespace

ImageStore::ImageStore(fs::path directory, Settings settings)
    : directory_(std::move(directory)), settings_(std::move(settings)) {
    for (const char* part : {"layers", "images", "incoming", "locks"})
        fs::create_directories(directory_ / part);
}

struct ImageStore::Wanted {
    const image::Layer& layer;
    std::string alone, above; // its names, with the first if it stands alone
    const image::UnpackLimits& limits;
};

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
    for (;;) {
        auto paths = unpack_missing(image, stop, limits);
        // Whoever removes what nobody uses may come between the two.
        if (std::all_of(paths.begin(), paths.end(), base::use_to_the_end)) return paths;
    }
}

std::vector<fs::path> ImageStore::unpack_missing(const PinnedImage& image, const base::Stop& stop,
                                                 const image::UnpackLimits& limits) const {
    const auto& layers = image.image.layers();
    const auto chains = chain_ids(layers);
    const auto wanted = [&](std::size_t i) {
        return Wanted{layers[i], layers[i].diff_id.hex(), name_above(chains[i]), limits};
    };
    std::vector<fs::path> paths; // lowest first
    std::vector<std::size_t> missing;
    for (std::size_t i = 0; i < layers.size(); ++i) {
        paths.push_back(find(wanted(i)));
        if (paths.back().empty()) missing.push_back(i);
    }
    if (missing.empty()) return paths_topmost_first(paths, paths.size());

    sweep();
    const auto store =
        registry::open_repository(image.reference.registry, image.reference.repository, settings_);
    // Largest first, so that none is left to be unpacked alone at the end.
    std::stable_sort(missing.begin(), missing.end(), [&](std::size_t a, std::size_t b) {
        return layers[a].descriptor.size > layers[b].descriptor.size;
    });
    base::for_each_parallel(missing.size(), base::usable_cores(),
                            [&](std::size_t n, const base::Stop& others) {
                                const auto i = missing[n];
                                std::optional<image::LayersBelow> below;
                                if (i == 0) below.emplace();
                                paths[i] = unpack_layer(*store, wanted(i), below, stop, others);
                            });
    // Those that do not stand alone, from below.
    for (std::size_t i = 0; i < layers.size(); ++i)
        if (paths[i].empty())
            paths[i] =
                unpack_layer(*store, wanted(i), paths_topmost_first(paths, i), stop, base::Stop());
    return paths_topmost_first(paths, paths.size());
}

fs::path ImageStore::find(const Wanted& wanted) const {
    for (const auto* name : {&wanted.alone, &wanted.above})
        if (auto path = directory_ / "layers" / *name; base::use_to_the_end(path)) return path;
    return {};
}

// Empty: what is below must be known, and is not.
fs::path ImageStore::unpack_layer(image::BlobStore& store, const Wanted& wanted,
                                  const std::optional<image::LayersBelow>& below,
                                  const base::Stop& stop, const base::Stop& others) const {
    const auto& name = below && !below->empty() ? wanted.above : wanted.alone;
    const auto held = lock(directory_ / "locks" / name, stop, others);
    if (auto path = find(wanted); !path.empty()) return path;
    const auto tree = directory_ / "incoming" / name;
    base::remove_tree(tree); // what a killed build left
    try {
        return fill(store, wanted, tree, below, stop, others);
    } catch (...) { // above all a full disk, which must not stay full because of it
        std::error_code ignored;
        fs::remove_all(tree, ignored);
        throw;
    }
}

fs::path ImageStore::fill(image::BlobStore& store, const Wanted& wanted, const fs::path& tree,
                          const std::optional<image::LayersBelow>& below, const base::Stop& stop,
                          const base::Stop& others) const {
    fs::create_directory(tree);
    fs::permissions(tree, fs::perms(0755));
    const auto produce = [&](const image::ByteSink& sink) {
        store.read_blob(
            wanted.layer.descriptor,
            [&](std::string_view bytes) {
                others.throw_if_over("unpacking a layer");
                sink(bytes);
            },
            stop);
    };
    const auto unpacked = image::unpack_layer(produce, tree, below, wanted.limits, stop);
    if (!unpacked) {
        base::remove_tree(tree);
        return {};
    }
    if (unpacked->diff_id != wanted.layer.diff_id)
        throw base::Error(base::ErrorKind::invalid_input,
                          "the layer " + wanted.layer.descriptor.digest.render() +
                              " is not what its image's configuration says");
    // A name in layers/ is a promise that outlives a power cut.
    const base::UniqueFd root = base::open_file(tree, O_RDONLY | O_DIRECTORY);
    if (::syncfs(root.get()) != 0) base::throw_errno("could not write a layer to the disk");
    const auto path =
        directory_ / "layers" / (unpacked->stands_alone ? wanted.alone : wanted.above);
    fs::rename(tree, path);
    return path;
}

// Of whose lock is held, somebody lives.
void ImageStore::sweep() const {
    for (const auto& left : fs::directory_iterator(directory_ / "incoming"))
        if (const auto held = try_lock(directory_ / "locks" / left.path().stem()))
            base::remove_tree(left.path());
}

std::set<std::string> layer_names(const image::Image& image) {
    std::set<std::string> names;
    for (const auto& layer : image.layers()) names.insert(layer.diff_id.hex());
    for (const auto& chain : chain_ids(image.layers())) names.insert(name_above(chain));
    return names;
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
