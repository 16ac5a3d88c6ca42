// A directory tree (or single entries) to a layer: tar (pax only where needed, sorted names, fixed
// times and owners) -> diff-id hash -> compressor -> whoever takes the bytes, in one pass with
// bounded memory (7 MB a layer) and nothing on any disk. The same input gives the same bytes on
// every machine (golden digests in the tests).
#pragma once

#include "image/blob_store.h"
#include "image/image.h"
#include "image/tree_listing.h"

#include "base/stop.h"

#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

namespace image {

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

struct LayerFormat {
    Compression compression = Compression::gzip;
    EntryOrder order = EntryOrder::depth_first;
    Names names = Names::absolute;
};

// The permissions that a layer has of an entry: no setuid, setgid or sticky bits.
unsigned mode_in_layer(mode_t mode, Modes modes) noexcept;

// Where the content of a layer is written to. Used by the one thread that it was handed to.
class LayerWriter {
  public:
    // Parents of `name` ("a/b/c", no leading slash) that were not written yet are added as
    // directories 0755 owned by 0:0. Names must come in the layer's order.
    void add_directory(std::string_view name, unsigned mode, Owner owner);
    void add_file(std::string_view name, unsigned mode, Owner owner, std::string_view bytes);
    void add_symlink(std::string_view name, std::string_view target, Owner owner,
                     unsigned mode = 0777);

    // The tree at `root` under `name` (empty: the root, without an entry for it), itself included;
    // recursion in the layer's order; symlinks as they are; hard links inside the tree kept (the
    // lifecycle repeats the bytes); holes of sparse files written out; modes & 0777; no extended
    // attributes; devices, sockets and fifos are refused with Error{invalid_input} naming the path.
    void add_tree(const std::filesystem::path& root, std::string_view name, Owner owner,
                  const TreeListing::Keep& keep = {}, Modes modes = Modes::as_they_are);
    // What was selected of a tree that was listed in the layer's order; of a file with several
    // names the first selected one is the file. Throws Error{invalid_input} for a file that is not
    // any more what the listing says.
    void add_listed(const TreeListing& listing, const Selection& selection, std::string_view name,
                    Owner owner, Modes modes = Modes::as_they_are, const base::Stop& stop = {});
    // Instead of entries: an existing tar, unchanged, with its end.
    void copy_tar(int fd, const base::Stop& stop);

    struct State;
    explicit LayerWriter(State& state) noexcept : state_(state) {}

  private:
    State& state_;
};

// Writes a layer's content; called on another thread than the caller's of what follows. The same
// content each time it is called.
using LayerContent = std::function<void(LayerWriter&)>;

struct TarFacts {
    Digest diff_id; // of the tar
    std::uint64_t size = 0;
};

// The one way to make a layer: three threads, one that reads and hashes, one that compresses, and
// the calling one, on which `sink` gets the compressed bytes. What `content` or `sink` throw comes
// out as it is.
TarFacts write_layer(const LayerFormat& format, const LayerContent& content, const ByteSink& sink);
// The same without compressing: no more than reading and hashing. On the calling thread.
TarFacts hash_layer(const LayerFormat& format, const LayerContent& content);

// Library, version and level that a compression is made with, "ISA-L 2.30.0 level 1": the same
// gives the same bytes. Empty for none.
std::string compressor_of(Compression compression);

struct StoredLayer {
    Layer layer;
    std::uint64_t uncompressed = 0; // bytes of tar
    bool was_there = false;         // nothing had to be sent
};

// Straight into a store, as often as the store asks for it.
StoredLayer store_layer(BlobStore& store, const LayerFormat& format, const LayerContent& content,
                        const base::Stop& stop);

struct WrittenLayer {
    Layer layer;
    std::filesystem::path path;     // the compressed bytes
    std::uint64_t uncompressed = 0; // bytes of tar
};

// Into a file (created, truncated; gone when something fails).
WrittenLayer write_layer_file(const std::filesystem::path& path, const LayerFormat& format,
                              const LayerContent& content);
// Re-compresses an existing tar (of mmdebstrap, say) unchanged into a layer.
WrittenLayer layer_from_tar(const std::filesystem::path& tar, const std::filesystem::path& path,
                            Compression compression, const base::Stop& stop);

} // namespace image
