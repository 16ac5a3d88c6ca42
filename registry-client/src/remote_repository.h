// A repository behind the distribution API: blobs in blobs.cpp, those that are made while
// they are sent in streams.cpp, manifests in manifests.cpp.
// Thread-safe.
#pragma once

#include "session.h"

#include "registry/repository.h"

#include "base/guarded.h"
#include "image/blob_store.h"

#include <atomic>
#include <chrono>
#include <map>
#include <memory>
#include <string>
#include <vector>

namespace registry {

class BlobUpload;

class RemoteRepository : public image::BlobStore {
  public:
    RemoteRepository(std::shared_ptr<Session> session, std::string repository);

    std::vector<image::Digest> find_missing(const std::vector<image::Descriptor>& blobs,
                                            const base::Stop& stop) override;
    void read_blob(const image::Descriptor& blob, const image::ByteSink& sink,
                   const base::Stop& stop) override;
    void write_blob(const image::BlobFile& blob, const base::Stop& stop) override;
    image::StreamedBlob stream_blob(const image::ByteProducer& produce,
                                    const base::Stop& stop) override;
    bool mount_blob(const image::Descriptor& blob, std::string_view from,
                    const base::Stop& stop) override;
    std::optional<image::RawManifest> read_manifest(std::string_view tag_or_digest,
                                                    const base::Stop& stop) override;
    void write_manifest(const image::RawManifest& manifest, std::optional<std::string> tag,
                        const base::Stop& stop) override;
    bool remove_manifest(const image::Digest& digest, const base::Stop& stop) override;
    std::vector<std::string> list_tags(const base::Stop& stop) override;
    std::vector<image::Referrer> list_referrers(const image::Digest& subject,
                                                std::string_view artifact_type,
                                                const base::Stop& stop) override;

  private:
    // Bytes for one request, from their beginning after each rewind.
    struct Body {
        std::function<std::size_t(char* buffer, std::size_t size)> read;
        std::function<void()> rewind;
    };

    std::string path(std::string_view rest) const { return "/v2/" + name_ + std::string(rest); }
    std::string place() const { return session_.name() + "/" + name_; }

    [[noreturn]] void lose_too_often() const;
    bool has_blob(const image::Descriptor& blob, const base::Stop& stop);
    void write(const image::Descriptor& blob, const Body& body, const base::Stop& stop);
    bool upload(const image::Descriptor& blob, const Body& body,
                std::optional<std::chrono::milliseconds>& asked, const base::Stop& stop);
    std::string start_upload(const image::Digest& digest, const base::Stop& stop);
    std::optional<image::StreamedBlob> stream_once(const image::ByteProducer& produce,
                                                   const base::Stop& stop);
    image::StreamedBlob stream_whole(const image::ByteProducer& produce, const base::Stop& stop);
    void finish(BlobUpload& upload, const image::Descriptor& blob, const base::Stop& stop);
    image::StreamedBlob write_small(std::string_view bytes, const base::Stop& stop);

    // Whether the registry itself keeps the list of referrers (the answer had OCI-Subject).
    bool put_manifest(const image::RawManifest& manifest, const std::string& name,
                      const base::Stop& stop);
    void confirm(const image::RawManifest& manifest, const base::Stop& stop);
    // The list that a registry without referrers has under a tag: image-spec, "Referrers tag
    // schema" of the distribution specification.
    std::vector<image::Referrer> read_referrers_tag(const image::Digest& subject,
                                                    const base::Stop& stop);
    void take_from_referrers_tag(const image::Digest& subject, const image::Digest& manifest,
                                 const base::Stop& stop);
    void add_to_referrers_tag(const image::Digest& subject, const image::RawManifest& manifest,
                              const base::Stop& stop);

    const std::shared_ptr<Session> shared_; // with other repositories of the registry
    Session& session_;
    const std::string name_;
    // push includes pull, so that one token serves a whole push.
    const std::vector<std::string> pull_, push_, delete_;
    base::Guarded<std::map<image::Digest, std::string>>
        started_;                  // uploads that a refused mount began
    base::Guarded<int> referrers_; // one change of a referrers tag at a time
    std::atomic<bool> takes_chunks_ = true;
};

} // namespace registry
