// One upload session: a blob in chunks, in order (distribution-spec 1.1, "Pushing a blob in
// chunks"). Each chunk is a request of its own, so that a token may be renewed between two of them
// and a lost one is sent again from where the registry says it stopped. One thread; the destructor
// of an unfinished one tells the registry to forget it.
#pragma once

#include "session.h"

#include "image/digest.h"

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace registry {

class BlobUpload {
  public:
    // The registry knows nothing of the session any more, or lost bytes that it had acknowledged:
    // only a new one helps.
    struct Lost {};

    // Begins it. uploads: ".../blobs/uploads/". All borrowed.
    BlobUpload(Session& session, std::string uploads, std::vector<std::string> scopes,
               const base::Stop& stop);
    ~BlobUpload();
    BlobUpload(const BlobUpload&) = delete;
    BlobUpload& operator=(const BlobUpload&) = delete;

    // Throws Lost, or Error when the registry refuses it or stays away. Gathers bytes when the
    // registry wants larger chunks.
    void send(std::string_view chunk);
    // Of all that was given: once, after the last chunk. Sends what was gathered.
    image::Digest digest();
    // The registry compares it with what it has.
    void finish(const image::Digest& digest);
    std::uint64_t size() const noexcept { return size_; }

  private:
    void patch(std::string_view bytes);
    bool try_patch(std::string_view rest);
    std::uint64_t ask_received();

    Session& session_;
    const std::vector<std::string> scopes_;
    const base::Stop& stop_;
    std::string location_;
    std::size_t least_chunk_ = 0;
    std::string gathered_;
    base::Sha256 hash_;
    std::uint64_t size_ = 0;     // given
    std::uint64_t received_ = 0; // by the registry, as far as we know
    bool finished_ = false;
};

} // namespace registry
