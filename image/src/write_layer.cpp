#include "image/layer_writer.h"

#include "compressor.h"
#include "layer_state.h"

#include "base/error.h"
#include "base/fd.h"
#include "base/task_group.h"

#include <algorithm>
#include <cstring>
#include <fcntl.h>
#include <unistd.h>

namespace image {
namespace {

// For each thread one in its hands, and one between them.
constexpr std::size_t tar_blocks = 3;
constexpr std::size_t compressed_blocks = 4, compressed_size = 256u << 10;

// From `tar` to `out`. False: one side has given up.
bool compress(Compression compression, BlockQueue& tar, BlockQueue& out) {
    const auto compressor = make_compressor(compression);
    auto block = out.take_empty();
    const auto sink = [&](std::string_view bytes) {
        while (block && !bytes.empty()) {
            const auto n = std::min(bytes.size(), compressed_size - block->used);
            std::memcpy(block->bytes.get() + block->used, bytes.data(), n);
            block->used += n;
            bytes.remove_prefix(n);
            if (block->used < compressed_size) continue;
            out.put_full(std::move(*block));
            block = out.take_empty();
        }
    };
    while (block) {
        auto input = tar.take_full();
        if (!input) return false;
        compressor->feed({input->bytes.get(), input->used}, input->last, sink);
        const bool last = input->last;
        tar.put_empty(std::move(*input));
        if (!last || !block) continue;
        block->last = true;
        out.put_full(std::move(*block));
        return true;
    }
    return false;
}

Layer describe(const LayerFormat& format, const TarFacts& tar, const Digest& digest,
               std::uint64_t size) {
    return {{std::string(layer_media_type(format.compression)), digest, size},
            tar.diff_id,
            compressor_of(format.compression)};
}

} // namespace

TarFacts write_layer(const LayerFormat& format, const LayerContent& content, const ByteSink& sink) {
    BlockQueue tar(tar_blocks, TarStream::capacity);
    BlockQueue compressed(compressed_blocks, compressed_size);
    TarFacts facts;
    base::TaskGroup threads;
    Connection sending({&tar, &compressed});
    threads.start([&](const base::Stop&) {
        Connection compressing({&tar, &compressed});
        if (compress(format.compression, tar, compressed)) compressing.complete();
    });
    threads.start([&](const base::Stop&) {
        Connection reading({&tar, &compressed});
        try {
            LayerWriter::State state(format, &tar);
            LayerWriter writer(state);
            content(writer);
            facts = state.finish();
            reading.complete();
        } catch (const NobodyListens&) { // whoever gave up says why
        }
    });
    for (bool last = false; !last;) {
        auto block = compressed.take_full();
        if (!block) break;
        sink({block->bytes.get(), block->used});
        last = block->last;
        compressed.put_empty(std::move(*block));
        if (last) sending.complete();
    }
    threads.join();
    return facts;
}

TarFacts hash_layer(const LayerFormat& format, const LayerContent& content) {
    LayerWriter::State state(format, nullptr);
    LayerWriter writer(state);
    content(writer);
    return state.finish();
}

StoredLayer store_layer(BlobStore& store, const LayerFormat& format, const LayerContent& content,
                        const base::Stop& stop) {
    TarFacts tar;
    const auto blob = store.stream_blob(
        [&](const ByteSink& sink) {
            tar = write_layer(format, content, [&](std::string_view bytes) {
                stop.throw_if_over("writing a layer");
                sink(bytes);
            });
        },
        stop);
    return {describe(format, tar, blob.digest, blob.size), tar.size, blob.was_there};
}

WrittenLayer write_layer_file(const std::filesystem::path& path, const LayerFormat& format,
                              const LayerContent& content) {
    auto file = base::open_file(path, O_WRONLY | O_CREAT | O_TRUNC);
    try {
        base::Sha256 hash;
        std::uint64_t size = 0;
        const auto tar = write_layer(format, content, [&](std::string_view bytes) {
            base::while_doing("writing " + path.string(),
                              [&] { base::write_all(file.get(), bytes); });
            hash.update(bytes);
            size += bytes.size();
        });
        if (::close(file.release()) != 0) base::throw_errno("could not write " + path.string());
        return {describe(format, tar, Digest(hash.finish()), size), path, tar.size};
    } catch (...) {
        ::unlink(path.c_str());
        throw;
    }
}

WrittenLayer layer_from_tar(const std::filesystem::path& tar, const std::filesystem::path& path,
                            Compression compression, const base::Stop& stop) {
    const base::UniqueFd file = base::open_file(tar, O_RDONLY);
    return write_layer_file(path, {.compression = compression}, [&](LayerWriter& writer) {
        base::while_doing("reading " + tar.string(), [&] { writer.copy_tar(file.get(), stop); });
    });
}

} // namespace image
