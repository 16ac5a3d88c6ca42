#include "local_signing.h"

#include "builder/proof.h"
#include "builder/target.h"

#include "base/error.h"

#include <chrono>

namespace cli {
namespace {

constexpr std::size_t largest_log = 16u << 20;

std::int64_t now_milliseconds() {
    return std::chrono::duration_cast<std::chrono::milliseconds>(
               std::chrono::system_clock::now().time_since_epoch())
        .count();
}

void copy(image::BlobStore& from, image::BlobStore& to, const image::Descriptor& blob,
          const base::Stop& stop) {
    if (to.find_missing({blob}, stop).empty()) return;
    to.stream_blob([&](const image::ByteSink& sink) { from.read_blob(blob, sink, stop); }, stop);
}

} // namespace

LocalSigning::LocalSigning(const std::filesystem::path& key, std::string version)
    : key_(base::KeyPair::open(key)), version_(std::move(version)), started_(now_milliseconds()) {}

void LocalSigning::take(const builder::Event& event) {
    if (const auto* line = std::get_if<builder::LogLine>(&event))
        if (log_.size() < largest_log) log_ += line->text + "\n";
    if (const auto* record = std::get_if<builder::Record>(&event))
        if (record->name == builder::materials_record) materials_ = record->json;
}

void LocalSigning::sign(const builder::Job& job, const builder::Published& published,
                        const builder::Target& from, const base::Stop& stop) const {
    if (materials_.empty())
        throw base::Error(base::ErrorKind::internal, "the worker did not say what it used");
    const auto settings = builder::settings_of(job);
    const auto store = builder::open_target(job.target, settings);
    const auto materials = builder::parse_materials(materials_);
    const auto worker_put = builder::open_target(from, settings);
    for (const auto& bill : materials.bills) copy(*worker_put, *store, bill.blob, stop);
    builder::attach_proof(*store, job, published, materials, log_,
                          {.builder = "urn:slipway:local:" + key_.public_key().id(),
                           .version = version_,
                           .started = started_,
                           .finished = now_milliseconds()},
                          key_, stop);
}

} // namespace cli
