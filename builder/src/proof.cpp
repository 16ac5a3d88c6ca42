#include "builder/proof.h"

#include "proof/bills.h"
#include "proof/statement.h"

#include "base/error.h"
#include "image/reference.h"

namespace builder {
namespace {

using base::Error;
using base::ErrorKind;

// Of one bill that is signed: it is in memory as a whole, several times.
constexpr std::uint64_t largest_bill = 32u << 20;

std::string read_bill(image::BlobStore& store, const image::Descriptor& bill,
                      const base::Stop& stop) {
    if (bill.size > largest_bill)
        throw Error(ErrorKind::limit_exceeded,
                    "the bills of materials are larger than 32 MiB together");
    std::string text;
    store.read_blob(
        bill, [&](std::string_view more) { text += more; }, stop);
    return text;
}

std::string_view predicate_of(const proof::Document& bill) {
    return bill.artifact_type == proof::spdx_media_type ? proof::predicate_type::spdx
                                                        : proof::predicate_type::cyclonedx;
}

std::string name_of(const Job& job, const Published& published) {
    if (!std::holds_alternative<RegistryTarget>(job.target)) return job.app;
    const auto reference = image::Reference::parse(published.reference);
    return reference.registry + "/" + reference.repository;
}

proof::Provenance::Source source_of(const Job& job, const Materials& materials,
                                    const Witness& witness) {
    proof::Provenance::Source source{std::string(kind_of(job.source)), witness.repository_url,
                                     witness.ref, job.revision};
    const auto* seen = proof::find_resource(materials.dependencies, "source");
    if (seen && !seen->uri.empty()) source.uri = seen->uri;
    return source;
}

// What a rebuild has to know beside the dependencies: all else that the image depends on.
std::map<std::string, std::string> settings_told_of(const Job& job) {
    std::map<std::string, std::string> settings{
        {"compression", std::string(image::to_string(job.compression))},
        {"network", job.network},
        {"slugignore", job.slug_ignore == SlugIgnore::before ? "before" : "after"},
        {"classic_variables", job.variables_in_environment ? "environment" : "files"}};
    if (!job.stack.classic_name.empty()) settings["classic_stack"] = job.stack.classic_name;
    if (const auto* archive = std::get_if<Archive>(&job.source))
        settings["strip_single_root"] = archive->strip_single_root ? "yes" : "no";
    return settings;
}

proof::Provenance provenance_of(const Job& job, const Materials& materials, const Witness& witness,
                                const image::Descriptor& log) {
    proof::Provenance provenance{.app = job.app,
                                 .source = source_of(job, materials, witness),
                                 .stack = job.stack.name,
                                 .environment = materials.environment,
                                 .settings = settings_told_of(job),
                                 .dependencies = materials.dependencies,
                                 .builder = witness.builder,
                                 .builder_version = witness.version,
                                 .build = job.id,
                                 .started = witness.started,
                                 .finished = witness.finished};
    for (const auto& uri : job.buildpacks.uris) provenance.buildpacks.push_back(public_url(uri));
    for (auto& dependency : provenance.dependencies)
        if (dependency.role == "source" && dependency.uri.empty())
            dependency.uri = provenance.source.uri;
    provenance.byproducts = {
        {.role = "log", .digest = {{"sha256", log.digest.hex()}}, .media_type = log.media_type}};
    for (const auto& bill : materials.bills)
        provenance.byproducts.push_back({.role = "bill",
                                         .digest = {{"sha256", bill.blob.digest.hex()}},
                                         .media_type = bill.blob.media_type});
    provenance.byproducts.insert(provenance.byproducts.end(), materials.layers.begin(),
                                 materials.layers.end());
    return provenance;
}

image::Descriptor describe(image::BlobStore& store, const std::string& digest,
                           const base::Stop& stop) {
    const auto manifest = store.read_manifest(digest, stop);
    if (!manifest)
        throw Error(ErrorKind::unavailable, "the image " + digest + " is not there any more");
    return {manifest->media_type, manifest->digest, manifest->bytes.size()};
}

} // namespace

void attach_proof(image::BlobStore& store, const Job& job, const Published& published,
                  const Materials& materials, std::string_view log, const Witness& witness,
                  const base::KeyPair& key, const base::Stop& stop) {
    proof::Attachments what{.name = name_of(job, published),
                            .image = describe(store, published.digest, stop),
                            .predicates = {},
                            .documents = materials.bills};
    const auto kept_log = proof::put_blob(store, proof::media_type::log, log, stop);
    what.documents.push_back({std::string(proof::artifact_type::log), kept_log});
    what.predicates.push_back({std::string(proof::predicate_type::provenance),
                               proof::render(provenance_of(job, materials, witness, kept_log))});
    for (const auto& bill : materials.bills)
        what.predicates.push_back(
            {std::string(predicate_of(bill)), read_bill(store, bill.blob, stop)});
    proof::attach(store, what, key, stop);
}

} // namespace builder
