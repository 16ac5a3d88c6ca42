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
        for (const char* file : {"buildpack.toml", "extension.toml", "bin/compile"})
            if (fs::exists(entry.path() / file)) {
                folders.push_back(entry.path());
                break;
            }
    std::sort(folders.begin(), folders.end());
    return folders;
}

bool matches(const Info& info, const OrderElement& element) {
    return info.id == element.id && (element.version.empty() || info.version == element.version);
}

bool matches(const Buildpack& buildpack, const OrderElement& element) {
    return (buildpack.role() == Role::extension) == element.extension &&
           matches(buildpack.info(), element);
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
    const auto text = base::read_file(file);
    const auto order = parse_order(text, file.string());
    order_.insert(order_.end(), order.begin(), order.end());
    const auto extensions = parse_extension_order(text, file.string());
    extension_order_.insert(extension_order_.end(), extensions.begin(), extensions.end());
    for (const auto& folder : folders_with_buildpacks(directory)) {
        switch (kind_of(folder)) {
        case Kind::composite:
            add(*load_composite(folder));
            break;
        case Kind::classic:
            // Nothing in it says what it is called or which version it is.
            add(load_classic(folder, folder.filename().string(), "local", folder.string()));
            break;
        case Kind::extension:
            add(load_extension(folder));
            break;
        default:
            add(load_cnb(folder));
        }
    }
}

void Catalog::add(std::shared_ptr<const Buildpack> buildpack) {
    remove(buildpack->info(), buildpack->role());
    buildpacks_.push_back(std::move(buildpack));
}

void Catalog::add(Composite composite) {
    remove(composite.info, Role::buildpack);
    composites_.push_back(std::move(composite));
}

void Catalog::remove(const Info& same, Role role) {
    const auto is_same = [&](const Info& info) {
        return info.id == same.id && info.version == same.version;
    };
    std::erase_if(buildpacks_, [&](const auto& buildpack) {
        return buildpack->role() == role && is_same(buildpack->info());
    });
    if (role == Role::buildpack)
        std::erase_if(composites_, [&](const auto& composite) { return is_same(composite.info); });
}

const Buildpack& Catalog::find(const OrderElement& element) const {
    for (const auto& buildpack : buildpacks_)
        if (matches(*buildpack, element)) return *buildpack;
    std::string there;
    for (const auto& buildpack : buildpacks_)
        if (buildpack->info().id == element.id)
            there += (there.empty() ? "" : ", ") + buildpack->info().full_name();
    throw base::Error(base::ErrorKind::not_found,
                      std::string("there is no ") +
                          (element.extension ? "image extension " : "buildpack ") +
                          element.full_name() + " here",
                      there.empty() ? "" : "There is " + there + ".");
}

const Order* Catalog::order_of(const OrderElement& element) const {
    for (const auto& composite : composites_)
        if (!element.extension && matches(composite.info, element)) return &composite.order;
    return nullptr;
}

bool Catalog::contains(const OrderElement& element) const {
    return order_of(element) ||
           std::any_of(buildpacks_.begin(), buildpacks_.end(),
                       [&](const auto& buildpack) { return matches(*buildpack, element); });
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
    check_order(extension_order_);
    check_order({system_.pre, system_.post});
    for (const auto& composite : composites_) check_order(composite.order);
}

} // namespace buildpacks
