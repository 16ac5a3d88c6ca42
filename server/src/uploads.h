// Sources that come over HTTP (docs/api.md): places to upload to behind pre-authenticated URLs, and
// archives that come with the request that builds them. The bytes are receiver::Spool's, the rows
// apps::Uploads's. main owns the one UploadStore; any thread.
#pragma once

#include "state_directory.h"

#include "server/config.h"

#include "apps/store.h"
#include "apps/uploads.h"
#include "builder/job.h"
#include "receiver/spool.h"

#include <atomic>
#include <chrono>
#include <optional>
#include <string>
#include <string_view>

namespace server {

class UploadStore {
  public:
    UploadStore(const Config& config, const StateDirectory& state, apps::Store& store);

    // How long the URLs of a place are good for.
    static constexpr std::chrono::minutes url_lifetime{10};

    struct Place {
        apps::Upload row;
        std::string path; // "/v1/sources/ID/content?key=SECRET": whoever has it needs no token
    };
    // owner: the token that asked.
    Place make_place(const std::string& owner);
    // Throws Error{not_found} for an unknown place and for a wrong key, Error{denied} once the URL
    // has expired.
    apps::Upload open_place(std::string_view id, std::string_view key) const;

    struct Incoming {
        receiver::Spool::Body body;
        std::uint64_t announced = 0; // Content-Length
        std::string checksum;        // that the sender announced; empty: none
    };
    // The bytes of a place; a second time they replace the first ones. Throws what
    // receiver::Spool::receive throws, and Error{unavailable} on a disk that is nearly full.
    receiver::Spooled receive(const apps::Upload& place, const Incoming& incoming,
                              const base::Stop& stop);
    // An archive without a place: its row is made once it is here.
    apps::Upload receive(const std::string& owner, const Incoming& incoming,
                         const base::Stop& stop);

    // The place that a URL of ours means, whatever name the client knows us by: its key proves it.
    // Empty for another's URL. Throws as open_place.
    std::optional<apps::Upload> recognise(const std::string& url) const;

    // What a build of it fetches. Throws Error{not_found} when nothing was uploaded or when it was
    // removed since.
    builder::Archive source_of(const apps::Upload& upload) const;
    // The digest ("sha256:...") of a stored archive; empty for another file.
    std::string digest_of(const builder::Archive& archive) const;
    bool has(const builder::Archive& archive) const;

    receiver::Spool& spool() noexcept { return spool_; }

  private:
    class OnItsWay;
    void check_space(std::uint64_t still_to_come) const;

    const Config& config_;
    const StateDirectory& state_;
    apps::Store& store_;
    receiver::Spool spool_;
    std::atomic<std::uint64_t> on_its_way_ =
        0; // bytes of uploads that were announced, not here yet
};

} // namespace server
