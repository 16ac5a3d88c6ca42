#include "remote_repository.h"

#include "answer.h"
#include "blob_upload.h"
#include "chunk_pipe.h"

#include "base/error.h"
#include "base/log.h"
#include "base/task_group.h"

#include <algorithm>
#include <cstring>

namespace registry {
namespace {

using image::Descriptor;
using image::Digest;

// What registries before object stores want at least; two of them are in memory for each blob.
constexpr std::size_t chunk_size = 5u << 20;

// The bytes of a blob, made by a thread of their own.
class Making {
  public:
    Making(ChunkPipe& pipe, const image::ByteProducer& produce) : pipe_(pipe) {
        thread_.start([&pipe, &produce](const base::Stop&) {
            try {
                produce([&](std::string_view bytes) { pipe.write(bytes); });
                pipe.close();
            } catch (const ChunkPipe::Abandoned&) { // the sender says why
            } catch (...) {
                pipe.give_up();
                throw;
            }
        });
    }
    ~Making() { pipe_.abandon(); }
    Making(const Making&) = delete;
    Making& operator=(const Making&) = delete;

    void end() { thread_.join(); } // rethrows what stopped it

  private:
    ChunkPipe& pipe_;
    base::TaskGroup thread_;
};

// The same bytes for whoever pulls them, and from their beginning after each rewind.
class Pulled {
  public:
    explicit Pulled(const image::ByteProducer& produce) : produce_(produce) {}

    void rewind() {
        making_.reset();
        pipe_.emplace(chunk_size);
        making_.emplace(*pipe_, produce_);
        rest_ = {};
        last_ = false;
    }
    std::size_t read(char* buffer, std::size_t size) {
        if (rest_.empty() && !last_) take();
        const auto n = std::min(size, rest_.size());
        std::memcpy(buffer, rest_.data(), n);
        rest_.remove_prefix(n);
        return n;
    }

  private:
    void take() {
        const auto chunk = pipe_->next();
        if (!chunk) making_->end(); // throws what stopped it
        last_ = !chunk || chunk->last;
        if (chunk) rest_ = chunk->bytes;
    }

    const image::ByteProducer& produce_;
    std::optional<ChunkPipe> pipe_;
    std::optional<Making> making_; // after the pipe: ends before it
    std::string_view rest_;
    bool last_ = false;
};

} // namespace

image::StreamedBlob RemoteRepository::write_small(std::string_view bytes, const base::Stop& stop) {
    const Descriptor blob{"", Digest::of(bytes), bytes.size()};
    // A mount of it that became an upload has asked already.
    if (!started_.lock()->contains(blob.digest) && has_blob(blob, stop))
        return {blob.digest, blob.size, true};
    std::size_t given = 0;
    write(blob,
          {[&](char* buffer, std::size_t size) {
               const auto n = std::min(size, bytes.size() - given);
               std::memcpy(buffer, bytes.data() + given, n);
               given += n;
               return n;
           },
           [&] { given = 0; }},
          stop);
    return {blob.digest, blob.size, false};
}

image::StreamedBlob RemoteRepository::stream_blob(const image::ByteProducer& produce,
                                                  const base::Stop& stop) {
    for (int attempt = 1; takes_chunks_; ++attempt) {
        try {
            if (const auto done = stream_once(produce, stop)) return *done;
        } catch (const BlobUpload::TakesNoChunks&) {
            base::log::debug("the registry takes no chunks", {{"registry", session_.name()}});
            takes_chunks_ = false;
            break;
        }
        if (attempt >= session_.attempts()) lose_too_often();
        session_.back_off(attempt, {}, stop);
    }
    return stream_whole(produce, stop);
}

// Empty: the upload was lost, and the bytes have to be made again.
std::optional<image::StreamedBlob> RemoteRepository::stream_once(const image::ByteProducer& produce,
                                                                 const base::Stop& stop) {
    ChunkPipe pipe(chunk_size);
    Making making(pipe, produce);
    auto chunk = pipe.next();
    if (chunk && chunk->last) {
        making.end();
        return write_small(chunk->bytes, stop);
    }
    if (!chunk) making.end(); // throws what stopped it
    try {
        BlobUpload upload(session_, path("/blobs/uploads/"), push_, delete_, stop);
        for (; chunk; chunk = chunk->last ? std::nullopt : pipe.next()) upload.send(chunk->bytes);
        making.end();
        const Descriptor whole{"", upload.digest(), upload.size()};
        finish(upload, whole, stop);
        return image::StreamedBlob{whole.digest, whole.size, false};
    } catch (const BlobUpload::Lost&) {
        return std::nullopt;
    }
}

void RemoteRepository::finish(BlobUpload& upload, const Descriptor& blob, const base::Stop& stop) {
    for (int attempt = 1;; ++attempt) {
        try {
            return upload.finish(blob.digest);
        } catch (const base::Error& error) {
            const bool last = attempt >= session_.attempts();
            if (last || !is_transient(error) || stop.requested() || stop.expired()) throw;
        }
        session_.back_off(attempt, upload.asked(), stop);
        // The registry may have taken it and the answer got lost.
        if (has_blob(blob, stop)) return;
        upload.check();
    }
}

// For a registry that wants a blob in one request: made once to be measured, and once more to be
// sent. Nothing is kept between the two.
image::StreamedBlob RemoteRepository::stream_whole(const image::ByteProducer& produce,
                                                   const base::Stop& stop) {
    base::Sha256 hash;
    std::uint64_t size = 0;
    produce([&](std::string_view bytes) {
        stop.throw_if_over("making a blob");
        hash.update(bytes);
        size += bytes.size();
    });
    const Descriptor blob{"", Digest(hash.finish()), size};
    if (has_blob(blob, stop)) return {blob.digest, blob.size, true};
    Pulled bytes(produce);
    write(blob,
          {[&](char* buffer, std::size_t wanted) { return bytes.read(buffer, wanted); },
           [&] { bytes.rewind(); }},
          stop);
    return {blob.digest, blob.size, false};
}

} // namespace registry
