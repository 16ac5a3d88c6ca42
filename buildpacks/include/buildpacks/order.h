// Orders: lists of groups of buildpacks (or of image extensions), some of which are composites with
// orders of their own (buildpack.md, "Order Resolution"; platform.md, order.toml and system.toml).
// Pure values; any thread.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace buildpacks {

struct OrderElement {
    std::string id;
    std::string version; // empty: whichever is there
    bool optional = false;
    bool extension = false;                    // an image extension, always optional
    std::vector<std::string> execution_envs{}; // exec-env; empty: any
    std::string full_name() const { return version.empty() ? id : id + "@" + version; }
};
using OrderGroup = std::vector<OrderElement>;
using Order = std::vector<OrderGroup>;

// Buildpacks of the platform's own, at the start and at the end of every group that does not name
// them itself (system.toml).
struct SystemBuildpacks {
    OrderGroup pre;
    OrderGroup post;
};

// The order of a composite buildpack; empty for one that detects and builds itself. Throws
// Error{not_found}.
using OrderOf = std::function<const Order*(const OrderElement&)>;

// Calls `try_group` with each group in which composites are expanded in place, depth first, left to
// right, as the lifecycle does; stops at the first that answers true. An id that stands in the
// group already is left out. Throws Error{invalid_input} when expansion does not end (a composite
// that contains itself, more than 10,000 groups).
bool for_each_group(const Order& order, const SystemBuildpacks& system, const OrderOf& order_of,
                    const std::function<bool(const OrderGroup&)>& try_group);

// The [[order]] of order.toml, builder.toml or a composite, and its [[order-extensions]]. `what`
// names the file in errors. Throws Error{invalid_input}.
Order parse_order(std::string_view toml, std::string_view what);
Order parse_extension_order(std::string_view toml, std::string_view what);

} // namespace buildpacks
