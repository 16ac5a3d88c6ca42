#include "registry/repository.h"

#include "answer.h"
#include "session.h"

#include "base/error.h"
#include "base/fd.h"
#include "base/guarded.h"
#include "base/json.h"
#include "base/task_group.h"
#include "base/text.h"

#include <atomic>
#include <fcntl.h>
#include <nlohmann/json.hpp>
#include <unistd.h>

namespace registry {
namespace {

using image::Descriptor;
using image::Digest;
using image::RawManifest;

constexpr std::size_t longest_manifest = 4u << 20;
constexpr std::size_t parallel_questions = 4;

std::string accept_header() {
    return "Accept: " + std::string(image::media_type::manifest) + ", " +
           std::string(image::media_type::index) + ", " +
           std::string(image::media_type::docker_manifest) + ", " +
           std::string(image::media_type::docker_manifest_list);
}

// A manifest says its own type; the header is believed when it does not.
std::string type_of(const http::Response& response) {
    try {
        const auto parsed = base::json::parse(response.body, "the manifest");
        if (auto type = base::json::find_string(parsed, "mediaType")) return *type;
    } catch (const base::Error&) { // whoever parses it will say so
    }
    const auto header = response.header("content-type").value_or("");
    return base::trim(header.substr(0, header.find(';')));
}

class Repository : public image::BlobStore {
  public:
    Repository(std::string registry, std::string repository, Settings settings)
        : session_(registry, std::move(settings)), name_(std::move(repository)),
          pull_{"repository:" + name_ + ":pull"}, push_{"repository:" + name_ + ":pull,push"} {}

    std::vector<Digest> find_missing(const std::vector<Descriptor>& blobs,
                                     const base::Stop& stop) override {
        std::vector<char> there(blobs.size(), 0);
        if (!blobs.empty()) there[0] = has_blob(blobs[0], stop); // fetches the token, once
        std::atomic<std::size_t> next = 1;
        base::TaskGroup group;
        const auto ask = [&](const base::Stop&) {
            for (std::size_t i; (i = next++) < blobs.size();) there[i] = has_blob(blobs[i], stop);
        };
        for (std::size_t i = 1; i < std::min(parallel_questions, blobs.size()); ++i)
            group.start(ask);
        group.join();
        std::vector<Digest> missing;
        for (std::size_t i = 0; i < blobs.size(); ++i)
            if (!there[i]) missing.push_back(blobs[i].digest);
        return missing;
    }

    void read_blob(const Descriptor& blob, const image::ByteSink& sink,
                   const base::Stop& stop) override;
    void write_blob(const image::BlobFile& blob, const base::Stop& stop) override;
    bool mount_blob(const Descriptor& blob, std::string_view from, const base::Stop& stop) override;
    std::optional<RawManifest> read_manifest(std::string_view tag_or_digest,
                                             const base::Stop& stop) override;
    void write_manifest(const RawManifest& manifest, std::optional<std::string> tag,
                        const base::Stop& stop) override;

  private:
    std::string path(std::string_view rest) const { return "/v2/" + name_ + std::string(rest); }
    std::string place() const { return session_.name() + "/" + name_; }

    bool has_blob(const Descriptor& blob, const base::Stop& stop);
    bool upload(const image::BlobFile& blob, const base::Stop& stop);
    std::string start_upload(const Digest& digest, const base::Stop& stop);
    void put_manifest(const RawManifest& manifest, const std::string& name, const base::Stop& stop);
    void confirm(const RawManifest& manifest, const base::Stop& stop);

    Session session_;
    const std::string name_;
    // push includes pull, so that one token serves a whole push.
    const std::vector<std::string> pull_, push_;
    base::Guarded<std::map<Digest, std::string>> started_; // uploads that a refused mount began
};

bool Repository::has_blob(const Descriptor& blob, const base::Stop& stop) {
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
void Repository::read_blob(const Descriptor& blob, const image::ByteSink& sink,
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

bool Repository::mount_blob(const Descriptor& blob, std::string_view from, const base::Stop& stop) {
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

std::string Repository::start_upload(const Digest& digest, const base::Stop& stop) {
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
bool Repository::upload(const image::BlobFile& blob, const base::Stop& stop) {
    const Descriptor& wanted = blob.descriptor;
    const std::string location = start_upload(wanted.digest, stop);
    const base::UniqueFd file = base::open_file(blob.path, O_RDONLY);
    std::optional<base::Sha256> hash(std::in_place);
    Call call{.method = "PUT",
              .url = location + (location.find('?') == location.npos ? "?" : "&") +
                     "digest=" + http::percent_encode(wanted.digest.render()),
              .scopes = push_,
              .headers = {"Content-Type: application/octet-stream"},
              .body_size = wanted.size,
              .doing = "take the blob " + wanted.digest.render(),
              .once = true};
    call.body_source = [&](char* buffer, std::size_t size) {
        const auto n = base::read_some(file.get(), buffer, size);
        if (n == 0)
            throw base::Error(base::ErrorKind::invalid_input,
                              blob.path.string() + " is shorter than its descriptor says");
        hash->update({buffer, n});
        return n;
    };
    call.body_rewind = [&] {
        if (::lseek(file.get(), 0, SEEK_SET) != 0) base::throw_errno("could not read a blob");
        hash.emplace();
    };
    const auto response = session_.send(call, stop);
    if (response.status == 404 || response.status == 416) return false;
    if (response.status != 201) fail(response, place(), call.doing);
    if (Digest(hash->finish()) != wanted.digest)
        throw base::Error(base::ErrorKind::invalid_input,
                          blob.path.string() + " does not have the digest of its descriptor");
    const auto told = response.header("docker-content-digest");
    if (told && *told != wanted.digest.render())
        throw base::Error(base::ErrorKind::invalid_input,
                          place() + " took the blob " + wanted.digest.render() +
                              " for another: " + base::quoted(told->substr(0, 100)));
    return true;
}

// An upload is repeated from its beginning: a lost session cannot be told from a slow one.
void Repository::write_blob(const image::BlobFile& blob, const base::Stop& stop) {
    for (int attempt = 1;; ++attempt) {
        // After a failure, too: the registry may have taken it and the answer got lost.
        if (has_blob(blob.descriptor, stop)) return;
        const bool last = attempt >= session_.attempts();
        try {
            if (upload(blob, stop)) return;
            if (last)
                throw base::Error(base::ErrorKind::unavailable,
                                  place() + " loses every upload of the blob " +
                                      blob.descriptor.digest.render());
        } catch (const base::Error& error) {
            const bool again = error.kind() == base::ErrorKind::unavailable ||
                               error.kind() == base::ErrorKind::timed_out;
            if (last || !again || stop.requested() || stop.expired()) throw;
        }
        session_.back_off(attempt, {}, stop);
    }
}

std::optional<RawManifest> Repository::read_manifest(std::string_view tag_or_digest,
                                                     const base::Stop& stop) {
    const std::string name(tag_or_digest);
    std::optional<Digest> wanted;
    if (name.find(':') != name.npos) wanted = Digest::parse(name);
    const auto response = session_.send({.url = path("/manifests/" + http::percent_encode(name)),
                                         .scopes = pull_,
                                         .headers = {accept_header()},
                                         .doing = "send the manifest " + name},
                                        stop);
    if (response.status == 404) return std::nullopt;
    if (response.status != 200) fail(response, place(), "send the manifest " + name);
    RawManifest raw{type_of(response), response.body, Digest::of(response.body)};
    const auto told = response.header("docker-content-digest");
    const bool lies = told && told->starts_with("sha256:") && *told != raw.digest.render();
    if (lies || (wanted && *wanted != raw.digest))
        throw base::Error(base::ErrorKind::invalid_input,
                          place() + " sent another manifest than " +
                              (wanted ? wanted->render() : base::quoted(told->substr(0, 100))));
    return raw;
}

void Repository::put_manifest(const RawManifest& manifest, const std::string& name,
                              const base::Stop& stop) {
    const auto response = session_.send({.method = "PUT",
                                         .url = path("/manifests/" + http::percent_encode(name)),
                                         .scopes = push_,
                                         .headers = {"Content-Type: " + manifest.media_type},
                                         .body = manifest.bytes,
                                         .doing = "take the manifest " + name},
                                        stop);
    if (response.status != 201) fail(response, place(), "take the manifest " + name);
    const auto told = response.header("docker-content-digest");
    if (told && *told != manifest.digest.render())
        throw base::Error(base::ErrorKind::invalid_input, place() + " stored the manifest as " +
                                                              base::quoted(told->substr(0, 100)) +
                                                              ", not as " +
                                                              manifest.digest.render());
}

void Repository::confirm(const RawManifest& manifest, const base::Stop& stop) {
    const auto response = session_.send({.method = "HEAD",
                                         .url = path("/manifests/" + manifest.digest.render()),
                                         .scopes = push_,
                                         .headers = {accept_header()},
                                         .doing = "confirm the manifest"},
                                        stop);
    const auto told = response.header("docker-content-digest");
    if (response.status == 200 && told && *told == manifest.digest.render()) return;
    if (response.status == 200 && !told && read_manifest(manifest.digest.render(), stop)) return;
    throw base::Error(base::ErrorKind::unavailable,
                      place() + " took the manifest but does not have it: " + describe(response));
}

void Repository::write_manifest(const RawManifest& manifest, std::optional<std::string> tag,
                                const base::Stop& stop) {
    if (Digest::of(manifest.bytes) != manifest.digest)
        throw base::Error(base::ErrorKind::internal, "a manifest does not have its digest");
    put_manifest(manifest, manifest.digest.render(), stop);
    confirm(manifest, stop);
    // The tag last: it never names what is not there.
    if (tag) put_manifest(manifest, *tag, stop);
}

} // namespace

std::unique_ptr<image::BlobStore> open_repository(std::string registry, std::string repository,
                                                  Settings settings) {
    const auto name = image::Reference::parse(registry + "/" + repository); // refuses the rest
    return std::make_unique<Repository>(name.registry, name.repository, std::move(settings));
}

} // namespace registry
