#include "image/oci_layout.h"

#include "image/index.h"
#include "image/referrers.h"
#include "manifest_json.h"

#include "base/error.h"
#include "base/fd.h"
#include "base/guarded.h"
#include "base/json.h"
#include "base/text.h"

#include <fcntl.h>
#include <set>
#include <sys/file.h>
#include <sys/stat.h>
#include <tuple>
#include <unistd.h>

namespace image {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

constexpr const char* tag_annotation = "org.opencontainers.image.ref.name";
constexpr std::size_t longest_manifest = 4u << 20; // distribution-spec: registries take 4 MiB

[[noreturn]] void damaged(const Digest& digest) {
    throw base::Error(base::ErrorKind::invalid_input,
                      "the blob " + digest.render() + " of the image layout is damaged",
                      "Remove the layout and write the image again.");
}

// A blob that is being written; gone with it unless it is kept, which is on the disk when it
// returns.
class Draft {
  public:
    explicit Draft(fs::path directory)
        : directory_(std::move(directory)), path_(directory_ / (".new-" + base::random_hex(8))),
          file_(base::open_file(path_, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW)) {}
    ~Draft() {
        if (!kept_) ::unlink(path_.c_str());
    }
    Draft(const Draft&) = delete;
    Draft& operator=(const Draft&) = delete;

    void write(std::string_view bytes) {
        base::write_all(file_.get(), bytes);
        hash_.update(bytes);
        size_ += bytes.size();
    }
    Digest digest() { return Digest(hash_.finish()); } // once
    std::uint64_t size() const noexcept { return size_; }
    void keep_as(const fs::path& name) {
        if (::fsync(file_.get()) != 0) base::throw_errno("could not write a blob");
        if (::rename(path_.c_str(), name.c_str()) != 0)
            base::throw_errno("could not write " + name.string());
        kept_ = true;
        const auto parent = base::open_file(directory_, O_RDONLY | O_DIRECTORY);
        if (::fsync(parent.get()) != 0) base::throw_errno("could not write a blob");
    }

  private:
    fs::path directory_, path_;
    base::UniqueFd file_;
    base::Sha256 hash_;
    std::uint64_t size_ = 0;
    bool kept_ = false;
};

// Another one is another file, or was written since.
using FileStamp = std::tuple<ino_t, time_t, long>;

class OciLayout : public BlobStore {
  public:
    explicit OciLayout(fs::path directory) : directory_(std::move(directory)) {
        fs::create_directories(blobs());
        if (!fs::exists(directory_ / "oci-layout"))
            base::replace_file(directory_ / "oci-layout", R"({"imageLayoutVersion":"1.0.0"})");
        if (fs::exists(directory_ / "index.json")) return;
        const auto lock = lock_index();
        if (!fs::exists(directory_ / "index.json")) write_index(json::array());
    }

    std::vector<Digest> find_missing(const std::vector<Descriptor>& wanted,
                                     const base::Stop& stop) override {
        std::vector<Digest> missing;
        for (const auto& blob : wanted) {
            stop.throw_if_over("looking for blobs");
            if (!is_intact(blob)) missing.push_back(blob.digest);
        }
        return missing;
    }

    void read_blob(const Descriptor& blob, const ByteSink& sink, const base::Stop& stop) override {
        const auto file = open_blob(blob.digest);
        if (!file)
            throw base::Error(base::ErrorKind::not_found,
                              "the image layout has no blob " + blob.digest.render());
        base::Sha256 hash;
        std::uint64_t size = 0;
        std::vector<char> buffer(256u << 10);
        while (const auto n = base::read_some(file.get(), buffer.data(), buffer.size())) {
            stop.throw_if_over("reading a blob");
            size += n;
            if (size > blob.size) damaged(blob.digest);
            hash.update({buffer.data(), n});
            sink({buffer.data(), n});
        }
        if (size != blob.size || Digest(hash.finish()) != blob.digest) damaged(blob.digest);
    }

    // A blob that is there already is hashed, too: a damaged one is replaced.
    void write_blob(const BlobFile& blob, const base::Stop& stop) override {
        if (is_intact(blob.descriptor)) return;
        const base::UniqueFd from = base::open_file(blob.path, O_RDONLY);
        std::vector<char> buffer(256u << 10);
        store(blob.descriptor.digest, blob.descriptor.size, [&]() -> std::string_view {
            stop.throw_if_over("writing a blob");
            const auto n = base::read_some(from.get(), buffer.data(), buffer.size());
            return {buffer.data(), n};
        });
    }

    StreamedBlob stream_blob(const ByteProducer& produce, const base::Stop& stop) override {
        Draft draft(blobs());
        produce([&](std::string_view bytes) {
            stop.throw_if_over("writing a blob");
            draft.write(bytes);
        });
        const auto digest = draft.digest();
        const auto size = draft.size();
        if (is_intact({"", digest, size})) return {digest, size, true};
        draft.keep_as(path_of(digest));
        return {digest, size, false};
    }

    bool mount_blob(const Descriptor&, std::string_view, const base::Stop&) override {
        return false; // a layout has one repository
    }

    std::optional<RawManifest> read_manifest(std::string_view tag_or_digest,
                                             const base::Stop&) override {
        const bool by_digest = tag_or_digest.find(':') != tag_or_digest.npos;
        std::optional<Digest> digest;
        if (by_digest) digest = Digest::parse(tag_or_digest);
        std::string type;
        for (const auto& entry : read_index()) {
            const bool match = by_digest ? entry.value("digest", "") == digest->render()
                                         : tag_of(entry) == tag_or_digest;
            if (!match) continue;
            const Descriptor found = parse_descriptor(entry);
            digest = found.digest;
            type = found.media_type;
            break;
        }
        if (!digest) return std::nullopt;
        const auto file = open_blob(*digest);
        if (!file) return std::nullopt;
        RawManifest raw{type, base::read_to_end(file.get(), longest_manifest), *digest};
        if (Digest::of(raw.bytes) != *digest) damaged(*digest);
        if (raw.media_type.empty()) raw.media_type = type_of(raw.bytes); // a member of an index
        return raw;
    }

    void write_manifest(const RawManifest& manifest, std::optional<std::string> tag,
                        const base::Stop& stop) override {
        std::set<std::string> members;
        for (const auto& member : members_of(manifest)) members.insert(member.digest.render());
        bool given = false;
        store(manifest.digest, manifest.bytes.size(), [&]() -> std::string_view {
            return std::exchange(given, true) ? std::string_view{} : manifest.bytes;
        });
        const auto lock = lock_index();
        json kept = json::array();
        // What an index names is found through it, and is no image of its own for readers.
        bool listed = !tag && is_named_by_an_index(manifest.digest, stop);
        for (auto& entry : read_index()) {
            if (tag && tag_of(entry) == *tag) continue; // the tag moves
            if (tag_of(entry).empty() && members.contains(entry.value("digest", ""))) continue;
            const bool same = entry.value("digest", "") == manifest.digest.render();
            if (same && tag && tag_of(entry).empty()) continue; // it gets a name now
            listed = listed || (same && !tag);
            kept.push_back(std::move(entry));
        }
        if (!listed) {
            json entry{{"mediaType", manifest.media_type},
                       {"digest", manifest.digest.render()},
                       {"size", manifest.bytes.size()}};
            if (tag) entry["annotations"] = {{tag_annotation, *tag}};
            kept.push_back(std::move(entry));
        }
        write_index(kept);
    }

    bool remove_manifest(const Digest& digest, const base::Stop&) override {
        const auto lock = lock_index();
        json kept = json::array();
        bool found = false;
        for (auto& entry : read_index()) {
            const bool same = entry.value("digest", "") == digest.render();
            found = found || same;
            if (!same) kept.push_back(std::move(entry));
        }
        if (!found) return false;
        write_index(kept);
        ::unlink(path_of(digest).c_str());
        return true;
    }

    std::vector<std::string> list_tags(const base::Stop&) override {
        std::set<std::string> tags;
        for (const auto& entry : read_index())
            if (auto tag = tag_of(entry); !tag.empty()) tags.insert(std::move(tag));
        return {tags.begin(), tags.end()};
    }

    // A layout has no list of its own: the index names the manifests, and they their subjects.
    std::vector<Referrer> list_referrers(const Digest& subject, std::string_view artifact_type,
                                         const base::Stop& stop) override {
        std::vector<Referrer> found;
        for (const auto& manifest : find_manifests([](const Descriptor&) { return true; }, stop)) {
            const auto of = subject_of(manifest);
            if (!of || of->digest != subject) continue;
            auto referrer = referrer_of(manifest);
            if (artifact_type.empty() || referrer.artifact_type == artifact_type)
                found.push_back(std::move(referrer));
        }
        return found;
    }

    // Artifacts are listed as well: they are no image that anybody asks for.
    Digest default_image() {
        std::set<Digest> images;
        for (const auto& entry : read_index()) {
            const auto digest = parse_descriptor(entry).digest;
            if (tag_of(entry) == "latest") return digest;
            const auto manifest = read_manifest(digest.render(), {});
            if (manifest && !subject_of(*manifest)) images.insert(digest);
        }
        if (images.size() == 1) return *images.begin();
        std::string tags;
        for (const auto& tag : list_tags({})) tags += (tags.empty() ? "" : ", ") + tag;
        throw base::Error(
            base::ErrorKind::not_found,
            "the image layout " + directory_.string() +
                (images.empty() ? " has no image" : " has several images, and none is `latest`"),
            tags.empty() ? "" : "Name one of its tags: " + base::printable(tags));
    }

  private:
    fs::path blobs() const { return directory_ / "blobs" / "sha256"; }
    fs::path path_of(const Digest& digest) const { return blobs() / digest.hex(); }

    base::UniqueFd open_blob(const Digest& digest) const {
        base::UniqueFd file(::open(path_of(digest).c_str(), O_RDONLY | O_NOFOLLOW | O_CLOEXEC));
        if (!file && errno != ENOENT)
            base::throw_errno("could not open " + path_of(digest).string());
        return file;
    }

    // A size says nothing of the bytes; they are read once for as long as the file is the same.
    bool is_intact(const Descriptor& blob) {
        const auto path = path_of(blob.digest);
        struct stat status;
        if (::lstat(path.c_str(), &status) != 0 || !S_ISREG(status.st_mode) ||
            static_cast<std::uint64_t>(status.st_size) != blob.size)
            return false;
        const FileStamp stamp{status.st_ino, status.st_ctim.tv_sec, status.st_ctim.tv_nsec};
        if (auto known = verified_.lock(); known->contains({blob.digest, stamp})) return true;
        if (digest_of_file(path) != blob.digest) return false;
        verified_.lock()->insert({blob.digest, stamp});
        return true;
    }

    // Of those that are listed, and that an index among them names, however deep; in their order.
    template <class Wanted>
    std::vector<RawManifest> find_manifests(Wanted&& is_wanted, const base::Stop& stop) {
        std::vector<RawManifest> found;
        std::vector<Descriptor> named;
        for (const auto& entry : read_index()) named.push_back(parse_descriptor(entry));
        std::set<Digest> seen;
        for (std::size_t i = 0; i < named.size(); ++i) {
            if (!is_wanted(named[i]) || !seen.insert(named[i].digest).second) continue;
            auto manifest = read_manifest(named[i].digest.render(), stop);
            if (!manifest) continue;
            for (auto& member : members_of(*manifest)) named.push_back(std::move(member));
            found.push_back(std::move(*manifest));
        }
        return found;
    }

    bool is_named_by_an_index(const Digest& digest, const base::Stop& stop) {
        const auto is_index = [](const Descriptor& one) { return is_index_type(one.media_type); };
        for (const auto& index : find_manifests(is_index, stop))
            for (const auto& member : members_of(index))
                if (member.digest == digest) return true;
        return false;
    }

    // Under its name only when every byte is there and verified.
    template <class Source>
    void store(const Digest& digest, std::uint64_t size, Source&& next) {
        Draft draft(blobs());
        for (std::string_view bytes; !(bytes = next()).empty();) draft.write(bytes);
        if (draft.size() != size || draft.digest() != digest)
            throw base::Error(base::ErrorKind::invalid_input, "the bytes given for the blob " +
                                                                  digest.render() +
                                                                  " are not those of its digest");
        draft.keep_as(path_of(digest));
    }

    // Between threads and programs: index.json is read, changed and written whole. The layout's own
    // directory is not ours to lock: whoever uses it may hold it (base/in_use.h).
    base::UniqueFd lock_index() const {
        base::UniqueFd directory = base::open_file(blobs(), O_RDONLY | O_DIRECTORY);
        int result;
        do result = ::flock(directory.get(), LOCK_EX);
        while (result != 0 && errno == EINTR);
        if (result != 0) base::throw_errno("could not lock " + directory_.string());
        return directory;
    }

    json read_index() const {
        const auto path = directory_ / "index.json";
        const json index = base::json::parse(base::read_file(path), path.string());
        if (!index.is_object() || !index.contains("manifests") || !index["manifests"].is_array())
            throw base::Error(base::ErrorKind::invalid_input,
                              path.string() + " is not the index of an image layout");
        for (const auto& entry : index["manifests"]) parse_descriptor(entry);
        return index["manifests"];
    }

    void write_index(const json& manifests) const {
        const nlohmann::ordered_json index{{"schemaVersion", 2},
                                           {"mediaType", media_type::index},
                                           {"manifests", nlohmann::ordered_json(manifests)}};
        base::replace_file(directory_ / "index.json", index.dump());
    }

    // Manifests and indexes; an index may name anything.
    static std::vector<Descriptor> members_of(const RawManifest& manifest) {
        std::vector<Descriptor> members;
        if (!is_index_type(manifest.media_type)) return members;
        const auto index = Index::parse(manifest);
        for (const auto& entry : index.entries())
            if (const auto& type = entry.manifest.media_type;
                is_index_type(type) || is_manifest_type(type))
                members.push_back(entry.manifest);
        return members;
    }

    // A manifest need not say what it is.
    static std::string type_of(std::string_view bytes) {
        const auto value = base::json::parse(bytes, "a manifest");
        if (auto type = base::json::find_string(value, "mediaType")) return *type;
        return std::string(value.contains("manifests") ? media_type::index : media_type::manifest);
    }

    static std::string tag_of(const json& entry) {
        const json annotations = entry.value("annotations", json::object());
        return annotations.is_object()
                   ? base::json::find_string(annotations, tag_annotation).value_or("")
                   : "";
    }

    const fs::path directory_;
    base::Guarded<std::set<std::pair<Digest, FileStamp>>> verified_;
};

} // namespace

std::unique_ptr<BlobStore> open_oci_layout(const fs::path& directory) {
    return base::while_doing("opening the image layout " + directory.string(),
                             [&] { return std::make_unique<OciLayout>(directory); });
}

Digest default_image(const fs::path& directory) {
    return OciLayout(directory).default_image();
}

} // namespace image
