// The buildpacks that are there, and the orders in which they are tried. A directory of buildpacks
// holds an order.toml and one folder for each buildpack. Immutable after load; any thread.
#pragma once

#include "buildpacks/buildpack.h"

namespace buildpacks {

struct OrderElement {
    std::string id;
    std::string version; // empty: whichever is there
    bool optional = false;
};
using OrderGroup = std::vector<OrderElement>;

class Catalog {
  public:
    // Directories are loaded in turn; the order is the concatenation of their orders. Throws
    // Error{invalid_input} that names the file and the line.
    static Catalog load(const std::vector<std::filesystem::path>& directories);

    const std::vector<OrderGroup>& order() const noexcept { return order_; }
    // Throws Error{not_found}.
    const Buildpack& find(const OrderElement& element) const;
    std::vector<const Buildpack*> all() const;

  private:
    void load_directory(const std::filesystem::path& directory);
    std::vector<OrderGroup> order_;
    std::vector<std::shared_ptr<const Buildpack>> buildpacks_;
};

// A Cloud Native buildpack in a directory of ours (buildpack.toml, bin/detect, bin/build).
std::shared_ptr<const Buildpack> load_cnb(const std::filesystem::path& directory);

} // namespace buildpacks
