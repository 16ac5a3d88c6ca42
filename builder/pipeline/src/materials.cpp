#include "materials.h"

#include "base/beneath.h"
#include "base/error.h"
#include "image/layer_writer.h"

#include <algorithm>

namespace builder {
namespace {

namespace fs = std::filesystem;
using proof::Bill;
using proof::Resource;

constexpr std::size_t largest_bill = 64u << 20;
constexpr std::size_t shortest_commit = 40;

bool is_hex(std::string_view text) {
    return text.find_first_not_of("0123456789abcdef") == text.npos;
}

// "https://host/x#<commit>", "host/x@sha256:<hex>", "https://host/x.tgz#sha256:<hex>".
std::map<std::string, std::string> digest_of_pin(const std::string& pin) {
    if (const auto at = pin.rfind("sha256:"); at != pin.npos)
        if (const auto hex = pin.substr(at + 7, 64); hex.size() == 64 && is_hex(hex))
            return {{"sha256", hex}};
    const auto at = pin.rfind('#');
    if (at == pin.npos) return {};
    const auto commit = pin.substr(at + 1);
    if (commit.size() < shortest_commit || !is_hex(commit)) return {};
    return {{"gitCommit", commit}};
}

std::string hash_of_tree(const fs::path& directory) {
    const auto content = [&](image::LayerWriter& writer) {
        writer.add_tree(directory, "buildpack", {}, {}, image::Modes::normal);
    };
    return image::hash_layer({.compression = image::Compression::none}, content).diff_id.hex();
}

void add_bills(const fs::path& root, const std::string& below, std::vector<Bill>& bills) {
    static constexpr std::pair<const char*, Bill::Format> formats[] = {
        {"sbom.cdx.json", Bill::Format::cyclonedx},
        {"sbom.spdx.json", Bill::Format::spdx},
        {"sbom.syft.json", Bill::Format::syft}};
    for (const auto& entry : base::list_beneath(root, below.empty() ? "." : below)) {
        const auto path = below.empty() ? entry.name : below + "/" + entry.name;
        if (entry.type == base::EntryType::directory) add_bills(root, path, bills);
        for (const auto& [name, format] : formats)
            if (entry.name == name)
                if (auto text = base::read_beneath(root, path, largest_bill))
                    bills.push_back({below, format, std::move(*text)});
    }
}

// The digest of an archive that is a file of ours: of its bytes as they came.
void add_archive(const MaterialsInput& input, Resource& source) {
    if (!input.fetched.digest.empty()) source.digest["sha256"] = input.fetched.digest;
    if (const auto* archive = std::get_if<Archive>(&input.job.source))
        source.digest["sha256"] = image::digest_of_file(archive->file).hex();
}

std::string name_of(const Job& job) {
    const auto* registry = std::get_if<RegistryTarget>(&job.target);
    if (!registry) return job.app;
    return (registry->shown_as.empty() ? registry->registry : registry->shown_as) + "/" +
           registry->repository;
}

} // namespace

std::vector<Bill> read_bills(const fs::path& directory) {
    std::vector<Bill> bills;
    if (fs::is_directory(directory)) add_bills(directory, "", bills);
    return bills;
}

Resource describe_buildpack(const buildpacks::Buildpack& buildpack) {
    const auto& info = buildpack.info();
    Resource resource{.role = "buildpack",
                      .name = info.full_name(),
                      .uri = public_url(info.source),
                      .digest = digest_of_pin(info.source)};
    // What the build image has is pinned by that image's digest.
    if (resource.digest.empty() && buildpack.mounting() != buildpacks::Buildpack::Mounting::none)
        resource.digest["sha256"] = hash_of_tree(buildpack.directory());
    return resource;
}

std::string gather_materials(const MaterialsInput& input, Reporter& report,
                             const base::Stop& stop) {
    auto materials = materials_of(input.job);
    for (auto& dependency : materials.dependencies) {
        if (dependency.role == "source") add_archive(input, dependency);
        if (dependency.role == "run-image")
            dependency = {.role = "run-image",
                          .uri = input.run_image.render(),
                          .digest = {{"sha256", input.run_image.digest->hex()}}};
    }
    for (const auto& member : input.built)
        materials.dependencies.push_back(describe_buildpack(*member.buildpack));

    materials.layers = input.layers;
    const auto merged = proof::merge_bills(input.bills, name_of(input.job), input.image);
    for (const auto& sentence : merged.left_out) report.body("Left out: " + sentence);
    for (const auto& [type, text] : {std::pair(proof::cyclonedx_media_type, &merged.cyclonedx),
                                     std::pair(proof::spdx_media_type, &merged.spdx)})
        materials.bills.push_back(
            {std::string(type), proof::put_blob(input.target, type, *text, stop)});
    return render_materials(materials);
}

} // namespace builder
