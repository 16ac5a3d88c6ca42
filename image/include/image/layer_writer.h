// A directory tree (or single entries) to a layer: tar (pax only where needed, sorted names, fixed
// times and owners) -> diff-id hash -> compressor -> digest hash -> file, in one pass with bounded
// memory. The same input gives the same bytes on every machine (golden digests in the tests).
// One thread owns a LayerWriter; it may use a second one inside.
#pragma once

#include "image/image.h"

#include "base/stop.h"

#include <filesystem>
#include <functional>
#include <string>
#include <string_view>

namespace image {

enum class Compression { gzip, zstd, none };

// The reference lifecycle has two orders. depth_first: each directory's names sorted, a directory's
// content right behind it ("a", "a/x", "a-b"): buildpack layers. by_path: whole names as bytes
// ("a", "a-b", "a/x"): the application's slices.
enum class EntryOrder { depth_first, by_path };

// "/a/b" as in the lifecycle's layers, or "a/b" as in source archives.
enum class Names { absolute, relative };

// Of a tree's entries. normal: directories and what its owner may run 0755, other files 0644,
// whatever the umask of whoever made the tree.
enum class Modes { as_they_are, normal };

// CNB platform specification: every entry has the time 1980-01-01T00:00:01Z and no user names.
struct Owner {
    unsigned uid = 0;
    unsigned gid = 0;
};

struct WrittenLayer {
    Layer layer;
    std::filesystem::path path;     // the compressed bytes
    std::uint64_t uncompressed = 0; // bytes of tar
};

class LayerWriter {
  public:
    // Writes to `path` (created, truncated). gzip is ISA-L, level fixed in the .cpp with its
    // measurement.
    LayerWriter(std::filesystem::path path, Compression compression,
                EntryOrder order = EntryOrder::depth_first, Names names = Names::absolute);
    ~LayerWriter();
    LayerWriter(LayerWriter&&) noexcept;

    // Parents of `name` ("a/b/c", no leading slash) that were not written yet are added as
    // directories 0755 owned by 0:0. Names must come in the layer's order.
    void add_directory(std::string_view name, unsigned mode, Owner owner);
    void add_file(std::string_view name, unsigned mode, Owner owner, std::string_view bytes);
    void add_symlink(std::string_view name, std::string_view target, Owner owner,
                     unsigned mode = 0777);

    // The tree at `root` under `name` (empty: the root, without an entry for it), itself included;
    // recursion in the layer's order; symlinks as they are; hard links inside the tree kept (the
    // lifecycle repeats the bytes); modes & 0777 (no setuid/setgid/sticky); devices, sockets and
    // fifos are refused with Error{invalid_input} naming the path. Reads with openat and
    // O_NOFOLLOW: a link in the tree never leads outside.
    // keep: returns false for relative paths to leave out (with everything below); may be empty.
    void add_tree(const std::filesystem::path& root, std::string_view name, Owner owner,
                  const std::function<bool(std::string_view relative)>& keep = {},
                  Modes modes = Modes::as_they_are);

    WrittenLayer finish(); // once

  private:
    struct State;
    std::unique_ptr<State> state_;
};

// Re-compresses an existing tar (of mmdebstrap, say) unchanged into a layer.
WrittenLayer layer_from_tar(const std::filesystem::path& tar, const std::filesystem::path& path,
                            Compression compression, const base::Stop& stop);

} // namespace image
