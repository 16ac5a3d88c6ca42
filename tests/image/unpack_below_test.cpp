// Layers that say less than they need: what they leave out is what lies below them.
#include "image/unpack.h"

#include "skip.h"
#include "tar_builder.h"
#include "unpacking.h"

#include "base/error.h"

#include <sys/xattr.h>

namespace fs = std::filesystem;

namespace {

// Layers unpacked one on the other, each seeing those that came before.
class Layers {
  public:
    image::UnpackedLayer add(const TarBuilder& tar, image::UnpackLimits limits = {}) {
        const auto path = directory_.path() / std::to_string(paths_.size());
        fs::remove_all(path); // of one that was refused
        auto unpacked = unpack_layer(tar.finish(), path, limits, paths_);
        paths_.insert(paths_.begin(), path);
        return unpacked;
    }
    std::string refusal_of(const TarBuilder& tar) {
        try {
            add(tar);
            return {};
        } catch (const base::Error& error) {
            return error.message();
        }
    }
    // Without a look below.
    bool stands_alone(const TarBuilder& tar) {
        const auto path = directory_.path() / "alone";
        fs::create_directories(path);
        const bool alone =
            image::unpack_layer(producer_of(tar.finish()), path, {}, {}, {}).has_value();
        fs::remove_all(path);
        return alone;
    }
    const fs::path& top() const { return paths_.front(); }

  private:
    base::TempDir directory_{"below"};
    image::LayersBelow paths_;
};

TarBuilder::Entry directory(const std::string& name, unsigned mode, unsigned owner = 0) {
    return {.name = name, .type = '5', .mode = mode, .uid = owner, .gid = owner};
}

bool is_opaque(const fs::path& path) {
    char value = 0;
    return ::getxattr(path.c_str(), "user.overlay.opaque", &value, 1) == 1 && value == 'y';
}

} // namespace

TEST_CASE("directories that a layer does not name keep the attributes that they have below") {
    if (is_not_root()) return;
    Layers layers;
    layers.add(TarBuilder().add(directory("tmp", 01777)).add(directory("srv", 0750, 7)));
    layers.add(TarBuilder().file("other"));
    const auto tar = TarBuilder().file("tmp/a").file("srv/new/b").file("srv/.wh.gone");
    CHECK_FALSE(layers.stands_alone(tar));
    CHECK_FALSE(layers.add(tar).stands_alone);
    CHECK((status_of(layers.top() / "tmp").st_mode & 07777) == 01777);
    CHECK((status_of(layers.top() / "srv").st_mode & 07777) == 0750);
    CHECK(status_of(layers.top() / "srv").st_uid == 7);
    CHECK(status_of(layers.top() / "srv").st_mtime == 1000000000);
    CHECK((status_of(layers.top() / "srv/new").st_mode & 07777) == 0755);
    CHECK(S_ISCHR(status_of(layers.top() / "srv/gone").st_mode));
}

TEST_CASE("a layer that names all that it uses stands alone") {
    Layers layers;
    const auto tar = TarBuilder()
                         .directory("usr")
                         .directory("usr/bin")
                         .file("usr/bin/tool")
                         .symlink("bin", "usr/bin")
                         .file("bin/other")
                         .hard_link("usr/again", "bin/tool")
                         .file("usr/.wh.gone");
    CHECK(layers.stands_alone(tar));
    CHECK(layers.add(tar).stands_alone);
}

TEST_CASE("entries behind a link of a layer below go where it leads") {
    Layers layers;
    layers.add(TarBuilder()
                   .directory("usr")
                   .directory("usr/bin")
                   .symlink("bin", "usr/bin")
                   .symlink("usr/tools", "/bin/../bin")
                   .symlink("out", "../../../../usr"));
    layers.add(TarBuilder().file("bin/a").file("usr/tools/b").file("out/lib/c"));
    for (const char* name : {"bin", "usr/tools", "out"})
        CHECK(fs::is_symlink(layers.top() / name)); // or the directory would hide the link
    for (const char* name : {"usr/bin/a", "usr/bin/b", "usr/lib/c"})
        CHECK(fs::is_regular_file(fs::symlink_status(layers.top() / name)));
}

TEST_CASE("a hard link to a file of a layer below is a link to the same file") {
    if (is_not_root()) return;
    Layers layers;
    layers.add(TarBuilder()
                   .directory("usr")
                   .add({.name = "usr/su", .content = "root", .mode = 04755, .uid = 3, .gid = 4})
                   .symlink("usr/link", "su")
                   .symlink("lib", "usr"));
    const auto tar = TarBuilder()
                         .hard_link("su", "usr/su")
                         .hard_link("second", "lib/su")
                         .hard_link("link", "usr/link");
    CHECK_FALSE(layers.stands_alone(tar));
    CHECK_FALSE(layers.add(tar).stands_alone);
    const auto status = status_of(layers.top() / "su");
    CHECK(status.st_ino == status_of(layers.top() / "usr/su").st_ino);
    CHECK(status.st_nlink == 3);
    CHECK((status.st_mode & 07777) == 04755);
    CHECK(status.st_uid == 3);
    CHECK(status.st_mtime == 1000000000);
    CHECK(base::read_file(layers.top() / "second") == "root");
    CHECK(fs::read_symlink(layers.top() / "link") == "su");
}

TEST_CASE("nothing that the layers below hide can be linked to") {
    if (is_not_root()) return;
    for (const auto& hiding :
         {TarBuilder().directory("d").file("d/.wh.secret"), TarBuilder().file(".wh.d"),
          TarBuilder().directory("d").file("d/.wh..wh..opq"), TarBuilder().file("d"),
          TarBuilder().symlink("d", "nowhere")}) {
        Layers layers;
        layers.add(TarBuilder().directory("d").file("d/secret").directory("e"));
        REQUIRE(layers.refusal_of(hiding).empty());
        CHECK_FALSE(layers.refusal_of(TarBuilder().hard_link("mine", "d/secret")).empty());
    }
    Layers layers;
    layers.add(TarBuilder().directory("d").file("d/secret"));
    for (const auto& hostile :
         {TarBuilder().file("d/.wh.secret").hard_link("mine", "d/secret"),
          TarBuilder().hard_link("mine", "d"), TarBuilder().hard_link("mine", "d/absent"),
          TarBuilder().hard_link("mine", "d/secret/more"), TarBuilder().file("d/secret/more"),
          TarBuilder().hard_link("mine", "../d/secret")})
        CHECK_FALSE(layers.refusal_of(hostile).empty());
}

TEST_CASE("a file that was linked to and is then taken away is gone, its link is not") {
    if (is_not_root()) return;
    Layers layers;
    layers.add(TarBuilder().directory("d").file("d/a", "1").file("d/b", "2").file("c", "3"));
    layers.add(TarBuilder()
                   .hard_link("one", "d/a")
                   .hard_link("two", "d/b")
                   .hard_link("three", "c")
                   .file("c", "new")
                   .file("d/.wh..wh..opq")
                   .file(".wh.c"));
    CHECK(base::read_file(layers.top() / "one") == "1");
    CHECK(base::read_file(layers.top() / "two") == "2");
    CHECK(base::read_file(layers.top() / "three") == "3");
    CHECK(base::read_file(layers.top() / "c") == "new");
    CHECK(is_opaque(layers.top() / "d"));
    CHECK(fs::is_empty(layers.top() / "d"));
    layers.add(TarBuilder().hard_link("four", "one").file(".wh.one"));
    CHECK(S_ISCHR(status_of(layers.top() / "one").st_mode));
    CHECK(base::read_file(layers.top() / "four") == "1");
}

TEST_CASE("a link that was only on the way goes with what is taken away") {
    if (is_not_root()) return;
    Layers layers;
    layers.add(TarBuilder().directory("usr").directory("usr/bin").symlink("bin", "usr/bin"));
    layers.add(TarBuilder().file("bin/tool").file(".wh.bin"));
    CHECK(S_ISCHR(status_of(layers.top() / "bin").st_mode));
    CHECK(fs::exists(layers.top() / "usr/bin/tool"));
    layers.add(TarBuilder().symlink("bin", "usr/bin"));
    // The layer's own stays: it came in the place of what was below.
    layers.add(TarBuilder().file("bin/tool").symlink("bin", "usr").file(".wh.bin"));
    CHECK(fs::read_symlink(layers.top() / "bin") == "usr");
}

TEST_CASE("directories that were only on the way go with what is taken away") {
    if (is_not_root()) return;
    Layers layers;
    layers.add(TarBuilder().directory("d").directory("d/e").file("d/e/f").file("d/e/g"));
    layers.add(TarBuilder().file("d/e/.wh.f").hard_link("kept", "d/e/g").file(".wh.d"));
    CHECK(S_ISCHR(status_of(layers.top() / "d").st_mode));
    CHECK(fs::exists(layers.top() / "kept"));
    layers.add(TarBuilder().directory("d").directory("d/e").file("d/e/f"));
    layers.add(TarBuilder().file("d/e/.wh.f").file("d/own").directory("d/e").file(".wh.d"));
    CHECK(is_opaque(layers.top() / "d"));
    CHECK(fs::is_empty(layers.top() / "d/e"));
    CHECK(fs::exists(layers.top() / "d/own"));
}

TEST_CASE("an entry in what the same layer took away is alone there") {
    if (is_not_root()) return;
    Layers layers;
    layers.add(TarBuilder().add(directory("d", 0700, 7)).file("d/old"));
    layers.add(TarBuilder().file(".wh.d").file("d/new"));
    CHECK(is_opaque(layers.top() / "d"));
    CHECK((status_of(layers.top() / "d").st_mode & 07777) == 0755);
    CHECK(fs::exists(layers.top() / "d/new"));
}

// overlayfs lists whiteouts in directories that hide what is below, as names without a file.
TEST_CASE("no whiteout is left where nothing below is seen anyway") {
    if (is_not_root()) return;
    Layers layers;
    layers.add(TarBuilder().directory("d").directory("d/e").file("d/e/f").file("d/g"));
    layers.add(TarBuilder()
                   .directory("d")
                   .file("d/.wh.g")
                   .file("d/e/.wh.f")
                   .file("d/.wh..wh..opq")
                   .file("d/.wh.later")
                   .file(".wh.kept"));
    CHECK(S_ISCHR(status_of(layers.top() / "kept").st_mode));
    for (const char* name : {"d/g", "d/e/f", "d/later"})
        CHECK_FALSE(fs::exists(fs::symlink_status(layers.top() / name)));
}

TEST_CASE("files that are copied up count against the limits") {
    Layers layers;
    layers.add(TarBuilder().file("large", std::string(3'000'000, 'l')));
    const auto tar = TarBuilder().hard_link("a", "large");
    CHECK_THROWS_AS(layers.add(tar, {.bytes = 2'000'000}), base::Error);
    CHECK_NOTHROW(layers.add(tar, {.bytes = 4'000'000}));
}

TEST_CASE("links below that lead nowhere, in a circle or to a file are refused") {
    Layers layers;
    layers.add(TarBuilder()
                   .symlink("nowhere", "absent")
                   .symlink("one", "two")
                   .symlink("two", "one")
                   .file("file")
                   .symlink("to-file", "file"));
    for (const char* name : {"nowhere/a", "one/a", "to-file/a", "file/a"}) {
        INFO(name);
        CHECK_FALSE(layers.refusal_of(TarBuilder().file(name)).empty());
        CHECK_FALSE(layers.refusal_of(TarBuilder().hard_link("a", name)).empty());
    }
}
