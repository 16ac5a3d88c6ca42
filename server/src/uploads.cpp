#include "uploads.h"

#include "base/crypto.h"
#include "base/error.h"
#include "base/text.h"

#include <algorithm>
#include <cctype>

namespace server {
namespace {

using base::Error;
using base::ErrorKind;

constexpr std::string_view path_start = "/v1/sources/";
constexpr std::string_view path_end = "/content?key=";
constexpr std::string_view file_start = "sha256-";
constexpr std::size_t key_letters = 40;

bool is_word(std::string_view text) {
    return !text.empty() && std::all_of(text.begin(), text.end(),
                                        [](unsigned char c) { return std::isalnum(c) != 0; });
}

} // namespace

// An upload while it comes. Others see how much of it the disk must still take; one that announced
// nothing (chunks) is looked at as it comes.
class UploadStore::OnItsWay {
  public:
    OnItsWay(UploadStore& store, std::uint64_t announced)
        : store_(store), left_(std::min(announced, store.config_.upload.size)) {
        const auto all = store_.on_its_way_ += left_;
        try {
            store_.check_space(all);
        } catch (...) {
            store_.on_its_way_ -= left_;
            throw;
        }
    }
    ~OnItsWay() { store_.on_its_way_ -= left_; }
    OnItsWay(const OnItsWay&) = delete;
    OnItsWay& operator=(const OnItsWay&) = delete;

    receiver::SpoolLimits limits() {
        const auto& upload = store_.config_.upload;
        return {.bytes = upload.size, .time = upload.time, .on_window = [this](std::uint64_t now) {
                    const auto came = std::min(now - seen_, left_);
                    seen_ = now;
                    left_ -= came;
                    store_.check_space(store_.on_its_way_ -= came);
                }};
    }

  private:
    UploadStore& store_;
    std::uint64_t left_, seen_ = 0;
};

UploadStore::UploadStore(const Config& config, const StateDirectory& state, apps::Store& store)
    : config_(config), state_(state), store_(store), spool_(state.sources()) {
    // What a server that was killed had stored, but had told nobody of.
    for (const auto& digest : spool_.list())
        spool_.remove_unless(digest, [&] { return store_.uploads().is_used(digest); });
}

UploadStore::Place UploadStore::make_place(const std::string& owner) {
    const auto key = base::random_token(key_letters);
    const auto now = apps::now_milliseconds();
    Place place;
    place.row = {.id = apps::new_id('s'),
                 .secret_hash = base::sha256_hex(key),
                 .owner = owner,
                 .created = now,
                 .expires = now + std::chrono::milliseconds(url_lifetime).count()};
    store_.uploads().add(place.row);
    place.path = std::string(path_start) + place.row.id + std::string(path_end) + key;
    return place;
}

apps::Upload UploadStore::open_place(std::string_view id, std::string_view key) const {
    const auto place = store_.uploads().find(id);
    if (!place || place->secret_hash.empty() ||
        !base::equal_in_constant_time(place->secret_hash, base::sha256_hex(key)))
        throw Error(ErrorKind::not_found, "there is no such place to upload to",
                    "Ask for one: POST /v1/sources.");
    if (place->expires <= apps::now_milliseconds())
        throw Error(ErrorKind::denied, "this URL has expired: it was good for ten minutes",
                    "Ask for a new one: POST /v1/sources.");
    return *place;
}

receiver::Spooled UploadStore::receive(const apps::Upload& place, const Incoming& incoming,
                                       const base::Stop& stop) {
    OnItsWay upload(*this, incoming.announced);
    return spool_.receive(
        incoming.body, incoming.announced, incoming.checksum, upload.limits(),
        [&](const receiver::Spooled& spooled) {
            store_.uploads().complete(place.id, spooled.digest, spooled.size);
        },
        stop);
}

apps::Upload UploadStore::receive(const std::string& owner, const Incoming& incoming,
                                  const base::Stop& stop) {
    OnItsWay bytes(*this, incoming.announced);
    apps::Upload upload;
    spool_.receive(
        incoming.body, incoming.announced, incoming.checksum, bytes.limits(),
        [&](const receiver::Spooled& spooled) {
            const auto now = apps::now_milliseconds();
            upload = {.id = apps::new_id('s'),
                      .owner = owner,
                      .digest = spooled.digest,
                      .size = spooled.size,
                      .created = now,
                      .expires = now};
            store_.uploads().add(upload);
        },
        stop);
    return upload;
}

std::optional<apps::Upload> UploadStore::recognise(const std::string& url) const {
    const auto start = url.find(path_start);
    if (start == std::string::npos) return std::nullopt;
    const auto rest = std::string_view(url).substr(start + path_start.size());
    const auto id = rest.substr(0, rest.find('/'));
    if (!rest.substr(id.size()).starts_with(path_end)) return std::nullopt;
    const auto key = rest.substr(id.size() + path_end.size());
    if (!is_word(id) || !is_word(key) || !store_.uploads().find(id)) return std::nullopt;
    return open_place(id, key);
}

builder::Archive UploadStore::source_of(const apps::Upload& upload) const {
    if (upload.digest.empty())
        throw Error(ErrorKind::not_found, "nothing was uploaded there yet",
                    "PUT the archive to its upload_url first.");
    if (!spool_.has(upload.digest))
        throw Error(ErrorKind::not_found, "this upload is kept no longer",
                    "Upload the archive again.");
    return {.file = spool_.file_of(upload.digest), .strip_single_root = true};
}

std::string UploadStore::digest_of(const builder::Archive& archive) const {
    const auto name = archive.file.filename().string();
    if (archive.file.parent_path() != state_.sources() || !name.starts_with(file_start)) return {};
    return "sha256:" + name.substr(file_start.size());
}

bool UploadStore::has(const builder::Archive& archive) const {
    const auto digest = digest_of(archive);
    return !digest.empty() && spool_.has(digest);
}

void UploadStore::check_space(std::uint64_t still_to_come) const {
    const auto space = free_space(state_.root());
    const auto needed = config_.build.free_space + still_to_come;
    if (space >= needed) return;
    throw Error(ErrorKind::unavailable,
                "the server's disk is nearly full (" + base::human_bytes(space) + " left)",
                "Its operator must free some space first; then send the archive again.");
}

} // namespace server
