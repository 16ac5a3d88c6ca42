// Whatever layers an image has: mounted by overlayfs they show the tree that umoci makes of them,
// one applied after the other.
#include "image/unpack.h"

#include "image/oci_layout.h"
#include "mutations.h"
#include "skip.h"
#include "tar_builder.h"
#include "unpacking.h"

#include "base/error.h"

#include <map>
#include <set>
#include <sys/mount.h>

namespace fs = std::filesystem;

namespace {

// Random layers on a small base, of what any reader takes: no file over a directory, no link to
// what a layer took away itself, and no hard link to a lower file that has another name already
// (overlayfs copies one name up, umoci keeps all).
class RandomImage {
  public:
    RandomImage(Mutations& random, std::size_t layers) : random_(random) {
        TarBuilder base;
        for (const char* name : {"usr", "usr/bin", "usr/lib", "etc", "tmp", "home"}) {
            base.add({.name = name, .type = '5', .mode = name[0] == 't' ? 01777u : 0755u});
            now_[name] = Kind::directory;
        }
        base.symlink("bin", "usr/bin").symlink("lib", "/usr/lib").file("etc/passwd", "root");
        now_["etc/passwd"] = Kind::file;
        layers_.push_back(base.finish());
        while (layers_.size() < layers) add_layer();
    }
    const std::vector<std::string>& layers() const { return layers_; }

  private:
    enum class Kind { file, linked_file, directory, symlink };

    std::string any(const std::map<std::string, Kind>& from,
                    const std::function<bool(const std::string&, Kind)>& fits) {
        std::vector<std::string> names;
        for (const auto& [name, kind] : from)
            if (fits(name, kind)) names.push_back(name);
        return names.empty() ? "" : names[random_.random(names.size())];
    }
    // As an entry may call it: through a link of the base.
    std::string alias(const std::string& name) {
        if (random_.random(3) == 0 && name.starts_with("usr/bin/")) return name.substr(4);
        if (random_.random(3) == 0 && name.starts_with("usr/lib/")) return "/" + name.substr(4);
        return name;
    }
    bool is_free(const std::string& name) const {
        return !name.empty() && !own_.contains(name) && !gone_.contains(name);
    }
    bool is_within_gone(const std::string& name) const {
        for (const auto& gone : gone_)
            if (name == gone || name.starts_with(gone + "/")) return true;
        return false;
    }
    std::string new_name() {
        const auto parent = any(now_, [&](const std::string& name, Kind kind) {
            return kind == Kind::directory && !is_within_gone(name);
        });
        return parent + "/" + static_cast<char>('a' + random_.random(12)) +
               std::to_string(random_.random(3));
    }
    unsigned mode() { return static_cast<unsigned>(random_.random(01000)) | 0400; }
    void own(const std::string& name, Kind kind) {
        own_[name] = kind;
        now_[name] = kind;
    }
    void take_away(const std::string& name) {
        for (auto one = now_.lower_bound(name); one != now_.end();)
            one = one->first == name || one->first.starts_with(name + "/") ? now_.erase(one)
                                                                           : std::next(one);
        gone_.insert(name);
    }

    void add_layer() {
        TarBuilder tar;
        own_.clear();
        gone_.clear();
        for (auto entries = 3 + random_.random(25); entries > 0; --entries) add_entry(tar);
        layers_.push_back(tar.finish());
    }

    void add_entry(TarBuilder& tar) {
        const auto owner = static_cast<unsigned>(random_.random(3) * 500);
        const auto name = new_name();
        const bool was_directory = now_.contains(name) && now_[name] == Kind::directory;
        switch (random_.random(8)) {
        case 0:
        case 1:
            if (!is_free(name) || (now_.contains(name) && !was_directory)) return;
            tar.add({.name = alias(name), .type = '5', .mode = mode() | 0700, .uid = owner});
            return own(name, Kind::directory);
        case 2:
        case 3:
            if (!is_free(name) || was_directory) return;
            tar.add({.name = alias(name),
                     .content = std::string(random_.random(3000), 'c'),
                     .mode = mode(),
                     .uid = owner,
                     .gid = 7});
            return own(name, Kind::file);
        case 4:
            if (!is_free(name) || was_directory) return;
            tar.symlink(alias(name), random_.random(2) ? "../etc" : "a0");
            return own(name, Kind::symlink);
        case 5: {
            if (!is_free(name) || was_directory) return;
            const auto target = any(now_, [&](const std::string& one, Kind kind) {
                return !is_within_gone(one) && one != name &&
                       (kind == Kind::file || (kind == Kind::linked_file && own_.contains(one)));
            });
            if (target.empty()) return;
            tar.hard_link(alias(name), alias(target));
            own(target, Kind::linked_file);
            return own(name, Kind::linked_file);
        }
        case 6: {
            const auto victim = any(now_, [&](const std::string& one, Kind) {
                return one.find('/') != one.npos && !has_own_below(one) && one.size() > 8;
            });
            if (victim.empty()) return;
            const auto slash = victim.rfind('/');
            tar.file(victim.substr(0, slash) + "/.wh." + victim.substr(slash + 1), "");
            return take_away(victim);
        }
        default: {
            const auto emptied = any(now_, [&](const std::string& one, Kind kind) {
                return kind == Kind::directory && one.size() > 4 && !has_own_below(one);
            });
            if (emptied.empty()) return;
            tar.file(emptied + "/.wh..wh..opq", "");
            take_away(emptied);
            gone_.erase(emptied);
            own(emptied, Kind::directory);
        }
        }
    }
    bool has_own_below(const std::string& name) const {
        for (const auto& [one, kind] : own_)
            if (one == name || one.starts_with(name + "/")) return true;
        return false;
    }

    Mutations& random_;
    std::vector<std::string> layers_;
    std::map<std::string, Kind> now_, own_; // the whole image; the layer that is being made
    std::set<std::string> gone_;            // in that layer
};

// By name: type, mode, owner, size or target, content, and the other names of a file.
std::map<std::string, std::string> describe(const fs::path& root) {
    std::map<std::string, std::string> all;
    std::map<ino_t, std::string> first; // names of files with several, by the first
    for (const auto& entry : fs::recursive_directory_iterator(root)) {
        const auto status = status_of(entry.path());
        std::string text = std::to_string(status.st_mode) + " " + std::to_string(status.st_uid) +
                           ":" + std::to_string(status.st_gid);
        if (S_ISREG(status.st_mode))
            text += " " + image::digest_of_file(entry.path()).hex().substr(0, 12) + " " +
                    std::to_string(status.st_mtime);
        if (S_ISLNK(status.st_mode)) text += " -> " + fs::read_symlink(entry.path()).string();
        all[entry.path().lexically_relative(root)] = text;
    }
    for (auto& [name, text] : all) {
        const auto status = status_of(root / name);
        if (S_ISDIR(status.st_mode)) continue;
        text += " is " + first.emplace(status.st_ino, name).first->second;
    }
    return all;
}

struct Mount {
    explicit Mount(fs::path place) : at(std::move(place)) {}
    ~Mount() { ::umount2(at.c_str(), MNT_DETACH); }
    fs::path at;
};

bool mount_overlay(const std::string& lower, const fs::path& at) {
    return ::mount("overlay", at.c_str(), "overlay", MS_RDONLY,
                   ("lowerdir=" + lower + ",userxattr").c_str()) == 0;
}

bool overlays_can_be_mounted() {
    const base::TempDir room("umoci");
    for (const char* name : {"a", "b", "merged"}) fs::create_directories(room.path() / name);
    const Mount mounted(room.path() / "merged");
    return mount_overlay(room.path().string() + "/a:" + room.path().string() + "/b", mounted.at);
}

std::map<std::string, std::string> by_overlayfs(const std::vector<std::string>& tars,
                                                const fs::path& room) {
    image::LayersBelow layers;
    std::string lower;
    for (const auto& tar : tars) {
        const auto path = room / ("layer-" + std::to_string(layers.size()));
        fs::create_directories(path);
        if (!image::unpack_layer(producer_of(tar), path, {}, {}, {})) {
            fs::remove_all(path);
            unpack_layer(tar, path, {}, layers);
        }
        layers.insert(layers.begin(), path);
        lower = path.string() + (lower.empty() ? "" : ":") + lower;
    }
    const auto merged = room / "merged";
    fs::create_directories(merged);
    const Mount mounted(merged);
    REQUIRE(mount_overlay(lower, merged));
    return describe(merged);
}

std::map<std::string, std::string> by_umoci(const std::vector<std::string>& tars,
                                            const fs::path& room) {
    const auto store = image::open_oci_layout(room / "layout");
    std::vector<image::Layer> layers;
    const auto store_bytes = [&](std::string_view type, const std::string& bytes) {
        base::write_file(room / "blob", bytes);
        const image::Descriptor blob{std::string(type), image::Digest::of(bytes), bytes.size()};
        store->write_blob({blob, room / "blob"}, {});
        return blob;
    };
    for (const auto& tar : tars)
        layers.push_back({store_bytes(image::media_type::layer_tar, tar), image::Digest::of(tar)});
    const auto made = image::Image("amd64").with_layers(
        layers, std::vector<image::HistoryEntry>(layers.size(), {"test"}));
    store_bytes(image::media_type::config, made.render_config());
    store->write_manifest({std::string(image::media_type::manifest), made.render_manifest(),
                           image::Digest::of(made.render_manifest())},
                          "v1", {});
    packed_by({"umoci", "unpack", "--image", (room / "layout").string() + ":v1",
               (room / "bundle").string()},
              "");
    return describe(room / "bundle/rootfs");
}

} // namespace

TEST_CASE("layers over one another show what umoci makes of them") {
    if (is_not_root() || is_missing("umoci")) return;
    if (must_skip(!overlays_can_be_mounted(), "overlayfs cannot be mounted here")) return;
    Mutations random({});
    const int runs = Mutations::runs(25);
    for (int i = 0; i < runs; ++i) {
        const base::TempDir room("umoci");
        const RandomImage image(random, 2 + random.random(4));
        const auto expected = by_umoci(image.layers(), room.path());
        const auto shown = by_overlayfs(image.layers(), room.path());
        INFO("image " << i);
        for (const auto& [name, text] : expected) {
            INFO(name);
            REQUIRE(shown.contains(name));
            REQUIRE(shown.at(name) == text);
        }
        for (const auto& [name, text] : shown) {
            INFO(name);
            REQUIRE(expected.contains(name));
        }
    }
}
