#include "remote_repository.h"

#include "answer.h"
#include "blob_upload.h"
#include "chunk_pipe.h"

#include "base/error.h"
#include "base/fd.h"
#include "base/task_group.h"
#include "base/text.h"

#include <algorithm>
#include <atomic>
#include <cstring>
#include <fcntl.h>
#include <unistd.h>

namespace registry {
namespace {

using image::Descriptor;
using image::Digest;

constexpr std::size_t parallel_questions = 4;
// What registries before object stores want at least; two of them are in memory for each blob.
constexpr std::size_t chunk_size = 5u << 20;

bool may_be_repeated(const base::Error& error) {
    return error.kind() == base::ErrorKind::unavailable ||
           error.kind() == base::ErrorKind::timed_out;
}

[[noreturn]] void lost_too_often(const std::string& place) {
    throw base::Error(base::ErrorKind::unavailable, place + " loses every upload of a blob");
}

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

} // namespace

std::vector<Digest> RemoteRepository::find_missing(const std::vector<Descriptor>& blobs,
                                                   const base::Stop& stop) {
    std::vector<char> there(blobs.size(), 0);
    if (!blobs.empty()) there[0] = has_blob(blobs[0], stop); // fetches the token, once
    std::atomic<std::size_t> next = 1;
    base::TaskGroup group;
    const auto ask = [&](const base::Stop&) {
        for (std::size_t i; (i = next++) < blobs.size();) there[i] = has_blob(blobs[i], stop);
    };
    for (std::size_t i = 1; i < std::min(parallel_questions, blobs.size()); ++i) group.start(ask);
    group.join();
    std::vector<Digest> missing;
    for (std::size_t i = 0; i < blobs.size(); ++i)
        if (!there[i]) missing.push_back(blobs[i].digest);
    return missing;
}

bool RemoteRepository::has_blob(const Descriptor& blob, const base::Stop& stop) {
    const auto response = session_.send({.method = "HEAD",
                                         .url = path("/blobs/" + blob.digest.render()),
                                         .scopes = push_,
                                         .doing = "say whether it has a blob"},
                                        stop);
    if (response.status == 404) return false;
    if (response.status != 200) fail(response, place(), "say whether it has a blob");
    const auto length = response.header("content-length");
    return !length || *length == std::to_string(blob.size);
}

// Bytes that were handed out cannot be taken back, so a broken transfer goes on where it ended.
void RemoteRepository::read_blob(const Descriptor& blob, const image::ByteSink& sink,
                                 const base::Stop& stop) {
    base::Sha256 hash;
    std::uint64_t received = 0, skip = 0;
    const auto wrong = [&] {
        throw base::Error(base::ErrorKind::invalid_input,
                          place() + " sent other bytes than the blob " + blob.digest.render());
    };
    const auto take = [&](std::string_view bytes) {
        const auto skipped = std::min<std::uint64_t>(skip, bytes.size());
        skip -= skipped;
        bytes.remove_prefix(static_cast<std::size_t>(skipped));
        received += bytes.size();
        if (received > blob.size) wrong();
        hash.update(bytes);
        sink(bytes);
    };
    Call call{.url = path("/blobs/" + blob.digest.render()),
              .scopes = pull_,
              .sink = take,
              .doing = "send the blob " + blob.digest.render()};
    call.prepare = [&](Call& next) {
        next.headers.clear();
        skip = received; // for a server that ignores the range; see below for one that heeds it
        if (received > 0) next.headers = {"Range: bytes=" + std::to_string(received) + "-"};
    };
    // Whether the range was heeded is known with the status, before the first byte.
    call.on_status = [&](int status) {
        if (status == 206) skip = 0;
    };
    for (int attempt = 1; received < blob.size || attempt == 1; ++attempt) {
        const auto response = session_.send(call, stop);
        if (response.status == 416 && received == blob.size) break;
        if (response.status != 200 && response.status != 206) fail(response, place(), call.doing);
        if (received == blob.size) break;
        if (attempt >= session_.attempts())
            throw base::Error(base::ErrorKind::unavailable,
                              place() + " sent " + std::to_string(received) + " of " +
                                  std::to_string(blob.size) + " bytes of the blob " +
                                  blob.digest.render());
        session_.back_off(attempt, {}, stop);
    }
    if (Digest(hash.finish()) != blob.digest) wrong();
}

bool RemoteRepository::mount_blob(const Descriptor& blob, std::string_view from,
                                  const base::Stop& stop) {
    Call call{.method = "POST",
              .url = path("/blobs/uploads/?mount=" + blob.digest.render() +
                          "&from=" + http::percent_encode(from)),
              .scopes = push_,
              .doing = "mount a blob"};
    call.scopes.push_back("repository:" + std::string(from) + ":pull");
    try {
        const auto response = session_.send(call, stop);
        if (response.status == 201) return true;
        if (response.status == 202) // an ordinary upload began instead
            started_.lock()->insert_or_assign(blob.digest, session_.next_hop(call.url, response));
    } catch (const base::Error& error) {
        // No right to the other repository is no failure: the bytes are sent instead.
        if (error.kind() != base::ErrorKind::denied &&
            error.kind() != base::ErrorKind::unauthenticated)
            throw;
    }
    return false;
}

std::string RemoteRepository::start_upload(const Digest& digest, const base::Stop& stop) {
    {
        auto started = started_.lock();
        if (auto found = started->extract(digest); !found.empty()) return found.mapped();
    }
    const auto response = session_.send({.method = "POST",
                                         .url = path("/blobs/uploads/"),
                                         .scopes = push_,
                                         .doing = "begin an upload"},
                                        stop);
    if (response.status != 202) fail(response, place(), "begin an upload");
    return session_.next_hop(path("/blobs/uploads/"), response);
}

// One POST and one PUT. False when the session was lost and a new one may do better.
bool RemoteRepository::upload(const Descriptor& wanted, const Body& body, const base::Stop& stop) {
    const std::string location = start_upload(wanted.digest, stop);
    std::optional<base::Sha256> hash(std::in_place);
    body.rewind();
    Call call{.method = "PUT",
              .url = location + (location.find('?') == location.npos ? "?" : "&") +
                     "digest=" + http::percent_encode(wanted.digest.render()),
              .scopes = push_,
              .headers = {"Content-Type: application/octet-stream"},
              .body_size = wanted.size,
              .doing = "take the blob " + wanted.digest.render(),
              .once = true};
    call.body_source = [&](char* buffer, std::size_t size) {
        const auto n = body.read(buffer, size);
        if (n == 0)
            throw base::Error(base::ErrorKind::invalid_input,
                              "what is there for the blob " + wanted.digest.render() +
                                  " is shorter than its descriptor says");
        hash->update({buffer, n});
        return n;
    };
    call.body_rewind = [&] {
        body.rewind();
        hash.emplace();
    };
    const auto response = session_.send(call, stop);
    if (response.status == 404 || response.status == 416) return false;
    if (response.status != 201) fail(response, place(), call.doing);
    if (Digest(hash->finish()) != wanted.digest)
        throw base::Error(base::ErrorKind::invalid_input, "what is there for the blob " +
                                                              wanted.digest.render() +
                                                              " does not have this digest");
    const auto told = response.header("docker-content-digest");
    if (told && *told != wanted.digest.render())
        throw base::Error(base::ErrorKind::invalid_input,
                          place() + " took the blob " + wanted.digest.render() +
                              " for another: " + base::quoted(told->substr(0, 100)));
    return true;
}

// An upload is repeated from its beginning: a lost session cannot be told from a slow one.
void RemoteRepository::write(const Descriptor& blob, const Body& body, const base::Stop& stop) {
    for (int attempt = 1;; ++attempt) {
        const bool last = attempt >= session_.attempts();
        try {
            if (upload(blob, body, stop)) return;
            if (last) lost_too_often(place());
        } catch (const base::Error& error) {
            if (last || !may_be_repeated(error) || stop.requested() || stop.expired()) throw;
        }
        session_.back_off(attempt, {}, stop);
        // The registry may have taken it and the answer got lost.
        if (has_blob(blob, stop)) return;
    }
}

void RemoteRepository::write_blob(const image::BlobFile& blob, const base::Stop& stop) {
    if (has_blob(blob.descriptor, stop)) return;
    const base::UniqueFd file = base::open_file(blob.path, O_RDONLY);
    write(
        blob.descriptor,
        {[&](char* buffer, std::size_t size) { return base::read_some(file.get(), buffer, size); },
         [&] {
             if (::lseek(file.get(), 0, SEEK_SET) != 0) base::throw_errno("could not read a blob");
         }},
        stop);
}

image::StreamedBlob RemoteRepository::write_small(std::string_view bytes, const base::Stop& stop) {
    const Descriptor blob{"", Digest::of(bytes), bytes.size()};
    if (has_blob(blob, stop)) return {blob.digest, blob.size, true};
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
    for (int attempt = 1;; ++attempt) {
        if (const auto done = stream_once(produce, stop)) return *done;
        if (attempt >= session_.attempts()) lost_too_often(place());
        session_.back_off(attempt, {}, stop);
    }
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
        BlobUpload upload(session_, path("/blobs/uploads/"), push_, stop);
        for (; chunk; chunk = chunk->last ? std::nullopt : pipe.next()) upload.send(chunk->bytes);
        making.end();
        const Descriptor whole{"", upload.digest(), upload.size()};
        try {
            upload.finish(whole.digest);
        } catch (const base::Error& error) {
            // The registry may have taken it and the answer got lost.
            if (!may_be_repeated(error) || stop.requested() || stop.expired()) throw;
            session_.back_off(1, {}, stop);
            if (!has_blob(whole, stop)) return std::nullopt;
        }
        return image::StreamedBlob{whole.digest, whole.size, false};
    } catch (const BlobUpload::Lost&) {
        return std::nullopt;
    }
}

} // namespace registry
