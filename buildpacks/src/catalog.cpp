#include "buildpacks/catalog.h"

#include "base/error.h"
#include "base/fd.h"

#include <algorithm>

namespace buildpacks {
namespace {

namespace fs = std::filesystem;

std::vector<fs::path> folders_with_buildpacks(const fs::path& directory) {
    std::vector<fs::path> folders;
    for (const auto& entry : fs::directory_iterator(directory))
        if (fs::exists(entry.path() / "buildpack.toml") || fs::exists(entry.path() / "bin/compile"))
            folders.push_back(entry.path());
    std::sort(folders.begin(), folders.end());
    return folders;
}

bool matches(const Info& info, const OrderElement& element) {
    return info.id == element.id && (element.version.empty() || info.version == element.version);
}

} // namespace

Catalog Catalog::load(const std::vector<fs::path>& directories) {
    Catalog catalog;
    for (const auto& directory : directories) catalog.load_directory(directory);
    catalog.check();
    return catalog;
}

void Catalog::load_directory(const fs::path& directory) {
    const auto file = directory / "order.toml";
    const auto order = parse_order(base::read_file(file), file.string());
    order_.insert(order_.end(), order.begin(), order.end());
    for (const auto& folder : folders_with_buildpacks(directory)) {
        switch (kind_of(folder)) {
        case Kind::composite:
            add(*load_composite(folder));
            break;
        case Kind::classic:
            // Nothing in it says what it is called or which version it is.
            add(load_classic(folder, folder.filename().string(), "local", folder.string()));
            break;
        default:
            add(load_cnb(folder));
        }
    }
}

void Catalog::add(std::shared_ptr<const Buildpack> buildpack) {
    remove(buildpack->info());
    buildpacks_.push_back(std::move(buildpack));
}

void Catalog::add(Composite composite) {
    remove(composite.info);
    composites_.push_back(std::move(composite));
}

void Catalog::remove(const Info& same) {
    const auto is_same = [&](const Info& info) {
        return info.id == same.id && info.version == same.version;
    };
    std::erase_if(buildpacks_, [&](const auto& buildpack) { return is_same(buildpack->info()); });
    std::erase_if(composites_, [&](const auto& composite) { return is_same(composite.info); });
}

const Buildpack& Catalog::find(const OrderElement& element) const {
    for (const auto& buildpack : buildpacks_)
        if (matches(buildpack->info(), element)) return *buildpack;
    std::string there;
    for (const auto& buildpack : buildpacks_)
        if (buildpack->info().id == element.id)
            there += (there.empty() ? "" : ", ") + buildpack->info().full_name();
    throw base::Error(base::ErrorKind::not_found,
                      "there is no buildpack " + element.full_name() + " here",
                      there.empty() ? "" : "There is " + there + ".");
}

const Order* Catalog::order_of(const OrderElement& element) const {
    for (const auto& composite : composites_)
        if (matches(composite.info, element)) return &composite.order;
    return nullptr;
}

bool Catalog::contains(const OrderElement& element) const {
    return order_of(element) ||
           std::any_of(buildpacks_.begin(), buildpacks_.end(),
                       [&](const auto& buildpack) { return matches(buildpack->info(), element); });
}

std::vector<const Buildpack*> Catalog::all() const {
    std::vector<const Buildpack*> all;
    for (const auto& buildpack : buildpacks_) all.push_back(buildpack.get());
    return all;
}

void Catalog::check() const {
    const auto check_order = [&](const Order& order) {
        for (const auto& group : order)
            for (const auto& element : group)
                if (!contains(element)) find(element);
    };
    check_order(order_);
    check_order({system_.pre, system_.post});
    for (const auto& composite : composites_) check_order(composite.order);
}

} // namespace buildpacks
