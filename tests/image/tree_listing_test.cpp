#include "image/layer_writer.h"

#include "base/error.h"
#include "base/fd.h"
#include "base/process.h"
#include "base/temp_dir.h"
#include "base/text.h"
#include "skip.h"

#include <catch2/catch.hpp>
#include <random>
#include <sys/stat.h>
#include <unistd.h>

namespace fs = std::filesystem;
using image::EntryOrder;
using image::TreeListing;

namespace {

std::vector<std::string> paths(const TreeListing& listing) {
    std::vector<std::string> all;
    for (std::size_t i = 0; i < listing.size(); ++i) all.push_back(listing.path(i));
    return all;
}

// A tree that nobody thought of: names of many kinds and lengths, files of every size around the
// tar's blocks and ours, holes, links, hard links, odd modes.
class RandomTree {
  public:
    RandomTree(const fs::path& root, unsigned seed) : random_(seed) {
        fs::create_directory(root);
        fill(root, 0);
        ::chmod(root.c_str(), 0755);
    }

  private:
    unsigned below(unsigned limit) { return static_cast<unsigned>(random_() % limit); }

    std::string name() {
        static const std::vector<std::string> parts{"a",  "b-", ".",  "z z", "\xc3\xa4",    "0",
                                                    "/",  "+",  "~",  "#",   "%",           "'",
                                                    "\"", "\\", "\t", "=",   "node_modules"};
        std::string text = "n";
        for (unsigned i = below(5); i > 0; --i) text += parts[below(6) == 0 ? 6 : below(17)];
        std::erase(text, '/');
        text += std::string(below(8) == 0 ? 100 + below(100) : 0, 'l');
        return text + std::to_string(++number_);
    }

    void fill(const fs::path& directory, unsigned depth) {
        for (unsigned i = below(9); i > 0; --i) {
            const auto path = directory / name();
            switch (below(depth < 5 ? 8 : 6)) {
            case 0:
                fs::create_symlink(std::string(1 + below(140), 't'), path);
                break;
            case 1:
                if (!files_.empty()) fs::create_hard_link(files_[below(files_.size())], path);
                break;
            case 2:
                sparse(path);
                break;
            case 6:
            case 7:
                fs::create_directory(path);
                fill(path, depth + 1);
                ::chmod(path.c_str(), 0700 | below(0100));
                break;
            default:
                file(path);
            }
        }
    }

    void file(const fs::path& path) {
        static const std::vector<std::size_t> sizes{0,     1,       511,        512,    513,
                                                    10240, 1048064, (1u << 20), 1048577};
        std::string bytes(sizes[below(below(4) == 0 ? 9 : 6)], 'x');
        for (std::size_t i = 0; i < bytes.size(); i += 97) bytes[i] = static_cast<char>(random_());
        base::write_file(path, bytes);
        ::chmod(path.c_str(), 0400 | below(01000));
        files_.push_back(path);
    }

    void sparse(const fs::path& path) {
        file(path);
        REQUIRE(::truncate(path.c_str(), below(3'000'000)) == 0);
    }

    std::mt19937 random_;
    unsigned number_ = 0;
    std::vector<fs::path> files_;
};

std::string output_of(std::vector<std::string> argv) {
    const auto result =
        base::run({.argv = std::move(argv), .environment = base::minimal_environment({"TZ=UTC"})},
                  {}, {}, 256u << 20);
    INFO(result.error);
    REQUIRE(result.status.ok());
    return result.output;
}

} // namespace

TEST_CASE("a listing has every entry in the layer's order, each with its parent") {
    const base::TempDir directory("listing");
    fs::create_directories(directory.path() / "a/x");
    for (const char* name : {"a-b", "a.txt", "a/x/y", "a/x-", "b"})
        base::write_file(directory.path() / name, "");
    const auto by_path = TreeListing::read(directory.path(), EntryOrder::by_path);
    CHECK(paths(by_path) ==
          std::vector<std::string>{"", "a", "a-b", "a.txt", "a/x", "a/x-", "a/x/y", "b"});
    CHECK(by_path.path(by_path.parent(6)) == "a/x");
    CHECK(by_path.parent(1) == 0);
    CHECK(by_path.parent(0) == 0);
    const auto deep = TreeListing::read(directory.path(), EntryOrder::depth_first);
    CHECK(paths(deep) ==
          std::vector<std::string>{"", "a", "a/x", "a/x/y", "a/x-", "a-b", "a.txt", "b"});
    CHECK(deep.path(deep.parent(3)) == "a/x");
}

TEST_CASE("a tree too large for one thread is listed in the same order each time") {
    const base::TempDir directory("listing");
    for (int i = 0; i < 300; ++i) {
        const auto sub = directory.path() / std::to_string(i % 10) / std::to_string(i);
        fs::create_directories(sub);
        base::write_file(sub / "file", std::to_string(i));
    }
    const auto once = paths(TreeListing::read(directory.path(), EntryOrder::by_path));
    CHECK(once.size() == 1 + 10 + 300 + 300);
    CHECK(std::is_sorted(once.begin(), once.end()));
    CHECK(paths(TreeListing::read(directory.path(), EntryOrder::by_path)) == once);
}

TEST_CASE("a tree with names longer than the kernel takes at once is read") {
    const base::TempDir directory("listing");
    const std::string part(200, 'p');
    fs::path way = directory.path();
    const auto home = fs::current_path();
    fs::current_path(way);
    for (int i = 0; i < 30; ++i) {
        fs::create_directory(part);
        fs::current_path(part);
    }
    base::write_file("end", "reached");
    fs::current_path(home);
    const auto listing = TreeListing::read(directory.path(), EntryOrder::depth_first);
    CHECK(listing.size() == 32);
    CHECK(listing.path(31).size() > 6000);
    const auto hashed = image::hash_layer({}, [&](image::LayerWriter& writer) {
        writer.add_listed(listing, image::select_all(listing), "t", {});
    });
    CHECK(hashed.size > 0);
}

TEST_CASE("of a file with several names the first that is selected is the file") {
    const base::TempDir directory("listing");
    for (const char* name : {"a", "c"}) fs::create_directory(directory.path() / name);
    base::write_file(directory.path() / "a/first", std::string(4000, 'f'));
    fs::create_hard_link(directory.path() / "a/first", directory.path() / "c/second");
    const auto listing = TreeListing::read(directory.path(), EntryOrder::by_path);
    REQUIRE(listing.path(4) == "c/second");
    const auto size_of = [&](image::Selection selection) {
        return image::hash_layer({.order = EntryOrder::by_path},
                                 [&](image::LayerWriter& writer) {
                                     writer.add_listed(listing, selection, "t", {});
                                 })
            .size;
    };
    CHECK(size_of({0, 1, 2, 3, 4}) == 512 * 5 + 4096 + 1024);
    CHECK(size_of({0, 3, 4}) == 512 * 3 + 4096 + 1024);
}

TEST_CASE("GNU tar and libarchive list any tree alike, and it is the same bytes each time") {
    if (is_missing("bsdtar")) return;
    for (unsigned seed = 1; seed <= 12; ++seed) {
        INFO("seed " << seed);
        const base::TempDir directory("listing");
        const RandomTree tree(directory.path() / "t", seed);
        for (const auto order : {EntryOrder::depth_first, EntryOrder::by_path}) {
            const auto write = [&](const char* name) {
                return image::write_layer_file(
                    directory.path() / name,
                    {.compression = image::Compression::gzip, .order = order},
                    [&](image::LayerWriter& writer) {
                        writer.add_tree(directory.path() / "t", "app", {1000, 1001});
                    });
            };
            const auto first = write("1.tar.gz"), second = write("2.tar.gz");
            CHECK(first.layer.descriptor.digest == second.layer.descriptor.digest);
            CHECK(first.layer.diff_id == second.layer.diff_id);
            // Each unpacks it; both trees and ours are then told by one program.
            for (const char* tool : {"tar", "bsdtar"}) {
                const auto out = directory.path() / tool;
                fs::remove_all(out);
                fs::create_directory(out);
                output_of({tool, "--no-same-owner", "-p", "-xzf", first.path.string(), "-C",
                           out.string()});
                const auto tell = [](const fs::path& root) {
                    return output_of(
                        {"sh", "-c",
                         "cd \"$1\" && { find . -printf '%P|%y|%m|%l\\n'; find . -type f -printf "
                         "'%P|%s|%n\\n' -exec sha256sum {} +; } | LC_ALL=C sort",
                         "sh", root.string()});
                };
                INFO(tool);
                CHECK((tell(out / "app") == tell(directory.path() / "t")));
            }
        }
    }
}
