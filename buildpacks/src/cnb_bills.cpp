#include "cnb_files.h"

#include "base/beneath.h"

#include <algorithm>
#include <array>

namespace buildpacks {
namespace {

struct Format {
    std::string_view name;
    std::string_view media_type;
};
constexpr std::array formats{
    Format{"cdx", "application/vnd.cyclonedx+json"},
    Format{"spdx", "application/spdx+json"},
    Format{"syft", "application/vnd.syft+json"},
};

// "application/spdx+json; version=2" is application/spdx+json.
std::string media_type_of(std::string_view declared) {
    return base::trim(declared.substr(0, declared.find(';')));
}

bool declares(const Info& info, std::string_view media_type) {
    return std::any_of(info.sbom_formats.begin(), info.sbom_formats.end(),
                       [&](const auto& declared) { return media_type_of(declared) == media_type; });
}

// What stands between ".sbom." and ".json" names the format.
BillOfMaterials read_name(const std::string& name, std::size_t mark, const Info& info) {
    static constexpr std::string_view middle = ".sbom.", ending = ".json";
    const auto format =
        name.substr(mark + middle.size(), name.size() - ending.size() - mark - middle.size());
    const auto known = std::find_if(formats.begin(), formats.end(),
                                    [&](const Format& one) { return one.name == format; });
    if (known == formats.end())
        refuse("a bill of materials is .sbom.cdx.json, .sbom.spdx.json or .sbom.syft.json");
    if (!declares(info, known->media_type))
        refuse(info.full_name() + " did not declare " + std::string(known->media_type) +
               " in the sbom-formats of its buildpack.toml");
    BillOfMaterials bill{.layer = name.substr(0, mark), .format = format};
    if (bill.layer == "launch") bill.of = BillOfMaterials::Of::launch;
    if (bill.layer == "build") bill.of = BillOfMaterials::Of::build;
    if (bill.of != BillOfMaterials::Of::layer) bill.layer.clear();
    return bill;
}

bool has_layer(const Built& built, const std::string& name) {
    return std::any_of(built.layers.begin(), built.layers.end(),
                       [&](const BuiltLayer& layer) { return layer.name == name; });
}

} // namespace

std::string BillOfMaterials::file_name() const {
    const std::string whose = of == Of::launch ? "launch" : of == Of::build ? "build" : layer;
    return whose + ".sbom." + format + ".json";
}

void read_bills(const std::filesystem::path& layers, const Info& info, Built& built) {
    const auto directory = info.escaped_id();
    for (const auto& entry : base::list_beneath(layers, directory)) {
        const auto mark = entry.name.rfind(".sbom.");
        if (entry.type != base::EntryType::file || mark == std::string::npos ||
            !entry.name.ends_with(".json"))
            continue;
        const auto whose = entry.name.substr(0, mark);
        // A bill of a layer that is not there any more describes nothing.
        if (whose != "launch" && whose != "build" && !has_layer(built, whose)) continue;
        built.bills.push_back(in_file(directory + "/" + entry.name,
                                      [&] { return read_name(entry.name, mark, info); }));
    }
}

} // namespace buildpacks
