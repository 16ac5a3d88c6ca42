#include "builder/kept.h"

#include "builder/materials.h"
#include "builder/target.h"

#include "base/error.h"
#include "base/fd.h"
#include "base/json.h"
#include "image/oci_layout.h"
#include "image/reference.h"

#include <nlohmann/json.hpp>

#include <algorithm>

namespace builder {
namespace {

namespace fs = std::filesystem;
using base::Error;
using base::ErrorKind;
using base::json::Value;
using image::Descriptor;

constexpr std::size_t largest_file = 16u << 20;

fs::path file_of(const fs::path& directory) {
    return directory / "kept.json";
}

Descriptor descriptor_of(const Value& value) {
    return {base::json::get_string(value, "mediaType"),
            image::Digest::parse(base::json::get_string(value, "digest")),
            static_cast<std::uint64_t>(base::json::get_integer(value, "size"))};
}

class Sender {
  public:
    Sender(const Job& job, const fs::path& directory, const KeptImage& kept)
        : target_(open_target(job.target, settings_of(job))),
          layout_(image::open_oci_layout(layout_of_kept(directory))),
          run_image_(image::Reference::parse(kept.run_image)),
          base_(registry::open_repository(run_image_.registry, run_image_.repository,
                                          settings_of(job))) {
        const auto* registry = std::get_if<RegistryTarget>(&job.target);
        may_mount_ = registry && registry->registry == run_image_.registry;
    }

    void send(const image::RawManifest& manifest, const Materials& materials,
              const std::string& tag, const base::Stop& stop) {
        const auto value = base::json::parse(manifest.bytes, "a kept image's manifest");
        std::vector<Descriptor> blobs{descriptor_of(value.at("config"))};
        for (const auto& layer : value.at("layers")) blobs.push_back(descriptor_of(layer));
        for (const auto& bill : materials.bills) blobs.push_back(bill.blob);
        const auto missing = target_->find_missing(blobs, stop);
        for (const auto& blob : blobs)
            if (std::find(missing.begin(), missing.end(), blob.digest) != missing.end())
                send(blob, stop);
        target_->write_manifest(manifest, tag, stop);
    }

    std::optional<image::RawManifest> read_manifest(const std::string& digest) {
        return layout_->read_manifest(digest, {});
    }

  private:
    void send(const Descriptor& blob, const base::Stop& stop) {
        const bool ours = layout_->find_missing({blob}, stop).empty();
        if (!ours && may_mount_ && target_->mount_blob(blob, run_image_.repository, stop)) return;
        auto& from = ours ? *layout_ : *base_;
        target_->stream_blob([&](const image::ByteSink& sink) { read(from, blob, sink, stop); },
                             stop);
    }

    static void read(image::BlobStore& from, const Descriptor& blob, const image::ByteSink& sink,
                     const base::Stop& stop) {
        try {
            from.read_blob(blob, sink, stop);
        } catch (const Error& error) {
            if (error.kind() != ErrorKind::not_found) throw;
            throw Error(
                ErrorKind::not_found,
                "a layer of the image is neither in the registry nor among what was kept: " +
                    blob.digest.render(),
                "Push again.");
        }
    }

    std::unique_ptr<image::BlobStore> target_, layout_;
    image::Reference run_image_;
    std::unique_ptr<image::BlobStore> base_;
    bool may_mount_ = false;
};

} // namespace

fs::path kept_in(const Job& job) {
    return job.work_directory / "kept";
}

fs::path layout_of_kept(const fs::path& directory) {
    return directory / "layout";
}

void write_kept(const fs::path& directory, const KeptImage& kept) {
    const Value value{{"event", Value::parse(render(Event(Outcome(kept.published))))},
                      {"run_image", kept.run_image},
                      {"materials", base::json::parse(kept.materials, "materials")}};
    base::replace_file(file_of(directory), base::json::render(value), 0600);
}

bool is_kept(const fs::path& directory) {
    return fs::exists(file_of(directory));
}

KeptImage read_kept(const fs::path& directory) {
    if (!is_kept(directory))
        throw Error(ErrorKind::not_found, "the image that was kept is not there any more",
                    "Push again.");
    const auto value =
        base::json::parse(base::read_file(file_of(directory), largest_file), "a kept image");
    const auto event = parse_event(value.at("event").dump());
    return {std::get<Published>(std::get<Outcome>(event)),
            base::json::get_string(value, "run_image"), value.at("materials").dump()};
}

Published publish_kept(const Job& job, const fs::path& directory, const base::Stop& stop) {
    const auto kept = read_kept(directory);
    Sender sender(job, directory, kept);
    const auto manifest = sender.read_manifest(kept.published.digest);
    if (!manifest)
        throw Error(ErrorKind::not_found, "the image that was kept is not whole any more",
                    "Push again.");
    sender.send(*manifest, parse_materials(kept.materials), tag_of(job.target), stop);
    auto published = kept.published;
    published.reference = reference_of(job.target, manifest->digest);
    return published;
}

} // namespace builder
