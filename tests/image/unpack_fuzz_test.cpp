// What a registry sends as a layer: whatever it is, it is unpacked or refused by an Error, nothing
// outside its directory is touched, and inside it is nothing that an image may not have. Run long
// and with sanitizers: SLIPWAY_FUZZ_RUNS.
#include "image/unpack.h"

#include "mutations.h"
#include "skip.h"
#include "tar_builder.h"
#include "unpacking.h"

#include "base/error.h"

#include <cstdio>
#include <sys/sysmacros.h>

namespace fs = std::filesystem;

namespace {

const std::vector<std::string>& corpus() {
    static const std::vector<std::string> tars{
        TarBuilder().directory("a").file("a/b", "content").symlink("c", "a").file("c/d").finish(),
        TarBuilder().file("x/.wh.y").file("x/.wh..wh..opq").hard_link("z", "victim").finish(),
        TarBuilder()
            .symlink("up", "../../..")
            .file("up/victim")
            .hard_link("h", "up/victim")
            .file(std::string(150, 'n'))
            .symlink("l", std::string(150, 't'))
            .finish(),
        TarBuilder()
            .add({.name = "dev", .type = '3'})
            .add({.name = "pax", .type = 'x', .content = "30 path=../../../../victim\n"})
            .file("f")
            .add({.name = "s", .type = 'S', .content = "sparse", .mode = 04755, .uid = 9})
            .finish()};
    return tars;
}

// A header's sum made right again: what is behind it would never be seen otherwise.
void repair(std::string& tar) {
    for (std::size_t at = 0; at + 512 <= tar.size(); at += 512) {
        char* const head = tar.data() + at;
        if (std::string_view(head + 257, 5) != "ustar") continue;
        std::fill_n(head + 148, 8, ' ');
        unsigned sum = 0;
        for (int i = 0; i < 512; ++i) sum += static_cast<unsigned char>(head[i]);
        std::snprintf(head + 148, 8, "%06o", sum & 0777777);
    }
}

// Bytes change in place, mostly: a tar whose blocks moved is no tar.
std::string next_tar(Mutations& mutations) {
    if (mutations.random(4) == 0) return mutations.next();
    std::string tar = corpus()[mutations.random(corpus().size())];
    static const std::string bytes("/.\0a1257wh%\xff", 12);
    for (auto changes = mutations.random(6) + 1; changes > 0; --changes) {
        const auto block = mutations.random(tar.size() / 512) * 512;
        tar[block + mutations.random(mutations.random(2) ? 20 : 260)] =
            bytes[mutations.random(bytes.size())];
    }
    repair(tar);
    return tar;
}

void check_tree(const fs::path& tree) {
    for (auto entry = fs::recursive_directory_iterator(tree); entry != fs::end(entry); ++entry) {
        const auto status = status_of(entry->path());
        const bool is_whiteout = S_ISCHR(status.st_mode) && status.st_rdev == makedev(0, 0);
        if (!S_ISREG(status.st_mode) && !S_ISDIR(status.st_mode) && !S_ISLNK(status.st_mode) &&
            !is_whiteout)
            FAIL(entry->path() << " has the mode " << status.st_mode);
    }
}

} // namespace

TEST_CASE("layers are unpacked inside their directory or refused") {
    if (is_not_root()) return;
    Mutations mutations(corpus());
    const base::TempDir outside("fuzz");
    const auto room = outside.path() / "one/two/three", below = room / "below";
    fs::create_directories(below);
    base::write_file(outside.path() / "victim", "untouched");
    base::write_file(outside.path() / "one/victim", "untouched");
    base::write_file(below / "victim", "of a layer below");
    int unpacked = 0;
    const int runs = Mutations::runs(1500);
    for (int i = 0; i < runs; ++i) {
        const auto tar = next_tar(mutations);
        const auto tree = room / "tree";
        fs::create_directory(tree);
        std::optional<image::LayersBelow> layers;
        if (i % 4 != 0) layers = {below};
        try {
            unpacked += image::unpack_layer(producer_of(tar, 4096), tree, layers,
                                            {.bytes = 1u << 20, .entries = 100}, {})
                            .has_value();
        } catch (const base::Error&) {
        } catch (const std::exception& other) {
            FAIL(other.what() << " in run " << i);
        }
        check_tree(tree);
        base::remove_tree(tree);
    }
    CHECK(unpacked > runs / 10);
    CHECK(unpacked < runs);
    CHECK(base::read_file(outside.path() / "victim") == "untouched");
    CHECK(base::read_file(outside.path() / "one/victim") == "untouched");
    CHECK(base::read_file(below / "victim") == "of a layer below");
    CHECK(std::distance(fs::directory_iterator(outside.path()), fs::directory_iterator()) == 2);
    CHECK(std::distance(fs::directory_iterator(room), fs::directory_iterator()) == 1);
}
