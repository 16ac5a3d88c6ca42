#include "bills_of_materials.h"

#include "base/beneath.h"
#include "base/error.h"
#include "base/fd.h"
#include "image/unpack.h"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <fcntl.h>

namespace builder {
namespace {

namespace fs = std::filesystem;
using buildpacks::BillOfMaterials;

constexpr std::size_t largest_bill = 64u << 20;

// Where a layer's bill belongs: to the image or to the build, and to the cache besides.
std::vector<const char*> kinds_of(const BillOfMaterials& bill, const buildpacks::Built& built) {
    if (bill.of == BillOfMaterials::Of::launch) return {"launch"};
    if (bill.of == BillOfMaterials::Of::build) return {"build"};
    const auto layer = std::find_if(built.layers.begin(), built.layers.end(),
                                    [&](const auto& one) { return one.name == bill.layer; });
    if (layer == built.layers.end()) return {};
    std::vector<const char*> kinds{layer->types.launch ? "launch" : "build"};
    if (layer->types.cache) kinds.push_back("cache");
    return kinds;
}

// As Go's encoder writes it, for the sake of the same bytes.
std::string escaped_for_html(const std::string& json) {
    std::string text;
    for (const char c : json) {
        if (c == '<')
            text += "\\u003c";
        else if (c == '>')
            text += "\\u003e";
        else if (c == '&')
            text += "\\u0026";
        else
            text += c;
    }
    return text;
}

} // namespace

void collect_bills(const buildpacks::Info& info, const buildpacks::Built& built,
                   const Workspace& workspace) {
    for (const auto& bill : built.bills) {
        const auto text = base::read_beneath(
            workspace.layers, info.escaped_id() + "/" + bill.file_name(), largest_bill);
        if (!text) continue;
        for (const char* kind : kinds_of(bill, built)) {
            const auto directory = workspace.bills / kind / info.escaped_id() / bill.layer;
            fs::create_directories(directory);
            base::write_file(directory / ("sbom." + bill.format + ".json"), *text);
        }
    }
}

void write_legacy_bill(const std::vector<LegacyBill>& bills, const Workspace& workspace) {
    nlohmann::ordered_json all = nullptr;
    for (const auto& bill : bills)
        for (const auto& entry : nlohmann::json::parse(bill.entries_json))
            all.push_back({{"name", entry.at("name")},
                           {"metadata", entry.at("metadata")},
                           {"buildpack", {{"id", bill.id}, {"version", bill.version}}}});
    fs::create_directories(workspace.bills / "launch");
    base::write_file(workspace.bills / "launch" / "sbom.legacy.json",
                     escaped_for_html(all.dump()) + "\n");
}

fs::path fetch_bills(const image::Image& image, const std::string& diff_id, image::BlobStore& store,
                     const fs::path& directory, const base::Stop& stop) {
    const auto& layers = image.layers();
    const auto layer = std::find_if(layers.begin(), layers.end(), [&](const image::Layer& one) {
        return one.diff_id.render() == diff_id;
    });
    if (layer == layers.end()) return {};
    if (layer->descriptor.size > largest_bill)
        throw base::Error(base::ErrorKind::limit_exceeded, "the layer of bills is too large");
    fs::create_directories(directory);
    image::unpack_layer(
        [&](const image::ByteSink& sink) { store.read_blob(layer->descriptor, sink, stop); },
        directory, image::LayersBelow{}, {.bytes = 16 * largest_bill, .entries = 100'000}, stop);
    const std::string below = "layers/sbom/launch";
    if (!base::open_beneath(directory, below, O_RDONLY | O_DIRECTORY)) return {};
    return directory / below;
}

void restore_bills(const fs::path& from, const buildpacks::Info& info, const std::string& layer,
                   const Workspace& workspace, BuildUser user) {
    if (!fs::is_directory(from)) return;
    const auto directory = info.escaped_id() + "/" + layer;
    for (const auto& entry : base::list_beneath(from, directory)) {
        if (!entry.name.starts_with("sbom.")) continue;
        const auto text = base::read_beneath(from, directory + "/" + entry.name, largest_bill);
        if (!text) continue;
        const auto file = workspace.layers / info.escaped_id() / (layer + "." + entry.name);
        base::write_file(file, *text);
        give_to(file, user);
    }
}

} // namespace builder
