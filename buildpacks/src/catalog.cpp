#include "buildpacks/catalog.h"

#include "base/error.h"
#include "base/fd.h"
#include "base/json.h"
#include "buildpacks/toml_text.h"

#include <nlohmann/json.hpp>

#include <algorithm>

namespace buildpacks {
namespace {

namespace fs = std::filesystem;

OrderGroup read_group(const nlohmann::json& table) {
    OrderGroup group;
    for (const auto& element : table.value("group", nlohmann::json::array()))
        group.push_back({base::json::get_string(element, "id"),
                         base::json::find_string(element, "version").value_or(""),
                         base::json::find_bool(element, "optional", false)});
    return group;
}

std::vector<fs::path> folders_with_buildpacks(const fs::path& directory) {
    std::vector<fs::path> folders;
    for (const auto& entry : fs::directory_iterator(directory))
        if (fs::exists(entry.path() / "buildpack.toml")) folders.push_back(entry.path());
    std::sort(folders.begin(), folders.end());
    return folders;
}

} // namespace

Catalog Catalog::load(const std::vector<fs::path>& directories) {
    Catalog catalog;
    for (const auto& directory : directories) catalog.load_directory(directory);
    for (const auto& group : catalog.order_)
        for (const auto& element : group) catalog.find(element);
    return catalog;
}

void Catalog::load_directory(const fs::path& directory) {
    const auto file = directory / "order.toml";
    const auto table = toml_to_json(base::read_file(file), file.string());
    for (const auto& group : table.value("order", nlohmann::json::array()))
        order_.push_back(read_group(group));
    for (const auto& folder : folders_with_buildpacks(directory))
        buildpacks_.push_back(load_cnb(folder));
}

const Buildpack& Catalog::find(const OrderElement& element) const {
    for (const auto& buildpack : buildpacks_)
        if (buildpack->info().id == element.id &&
            (element.version.empty() || buildpack->info().version == element.version))
            return *buildpack;
    const auto version = element.version.empty() ? "" : "@" + element.version;
    throw base::Error(base::ErrorKind::not_found,
                      "the order names the buildpack " + element.id + version +
                          ", which is not in the buildpack directories");
}

std::vector<const Buildpack*> Catalog::all() const {
    std::vector<const Buildpack*> all;
    for (const auto& buildpack : buildpacks_) all.push_back(buildpack.get());
    return all;
}

} // namespace buildpacks
