// The buildpacks that are there, and the orders in which they are tried. A directory of buildpacks
// holds an order.toml and one folder for each buildpack. Filled by one thread, then only read.
#pragma once

#include "buildpacks/buildpack.h"
#include "buildpacks/order.h"

#include <string_view>

namespace buildpacks {

// A buildpack whose order stands for it.
struct Composite {
    Info info;
    Order order;
    std::filesystem::path directory; // of its buildpack.toml; empty: it has no folder
};

class Catalog {
  public:
    // Directories are loaded in turn; the order is the concatenation of their orders. Throws
    // Error{invalid_input} that names the file and the line.
    static Catalog load(const std::vector<std::filesystem::path>& directories);

    // Takes the place of one with the same role, id and version.
    void add(std::shared_ptr<const Buildpack> buildpack);
    void add(Composite composite);
    void set_order(Order order) { order_ = std::move(order); }
    void set_extension_order(Order order) { extension_order_ = std::move(order); }
    void set_system(SystemBuildpacks system) { system_ = std::move(system); }

    const Order& order() const noexcept { return order_; }
    const Order& extension_order() const noexcept { return extension_order_; }
    const SystemBuildpacks& system() const noexcept { return system_; }
    // Throws Error{not_found} that names it and the nearest that is there.
    const Buildpack& find(const OrderElement& element) const;
    // Empty: not a composite.
    const Order* order_of(const OrderElement& element) const;
    bool contains(const OrderElement& element) const;
    std::vector<const Buildpack*> all() const; // extensions too
    const std::vector<Composite>& composites() const noexcept { return composites_; }
    // Every element of every order, composites' too, is here. Throws Error{not_found}.
    void check() const;

  private:
    void load_directory(const std::filesystem::path& directory);
    void remove(const Info& same, Role role);
    Order order_;
    Order extension_order_;
    SystemBuildpacks system_;
    std::vector<std::shared_ptr<const Buildpack>> buildpacks_;
    std::vector<Composite> composites_;
};

// A Cloud Native buildpack in a directory of ours (buildpack.toml, bin/detect, bin/build).
// `origin`: Info::source. In an image: `mounting` none.
std::shared_ptr<const Buildpack>
load_cnb(const std::filesystem::path& directory,
         Buildpack::Mounting mounting = Buildpack::Mounting::read_only, std::string origin = {});
// An image extension (extension.toml; bin/detect and bin/generate, or what they would write).
std::shared_ptr<const Buildpack>
load_extension(const std::filesystem::path& directory,
               Buildpack::Mounting mounting = Buildpack::Mounting::read_only);
// A classic buildpack (bin/detect, bin/compile, bin/release). `id` and `version` name it in orders,
// layers and labels: the place it came from and its commit.
std::shared_ptr<const Buildpack> load_classic(const std::filesystem::path& directory,
                                              std::string id, std::string version,
                                              std::string origin);
// The composite in a directory whose buildpack.toml has an [[order]]; empty: it is none.
std::optional<Composite> load_composite(const std::filesystem::path& directory);

// What a directory holds, by its files: buildpack.toml with an api is Cloud Native, bin/compile
// classic, extension.toml an image extension.
enum class Kind { cnb, composite, classic, extension, neither };
Kind kind_of(const std::filesystem::path& directory);

} // namespace buildpacks
