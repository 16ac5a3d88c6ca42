#include "buildpacks/order.h"

#include "base/error.h"
#include "base/json.h"
#include "buildpacks/toml_text.h"

#include <nlohmann/json.hpp>

#include <algorithm>

namespace buildpacks {
namespace {

using base::Error;
using base::ErrorKind;

// Orders multiply when composites stand side by side; nothing real comes near this.
constexpr std::size_t most_groups = 10'000;
constexpr std::size_t deepest_nesting = 64;

// Buildpacks and extensions may have the same ids.
bool contains(const OrderGroup& group, const OrderElement& wanted) {
    return std::any_of(group.begin(), group.end(), [&](const OrderElement& element) {
        return element.id == wanted.id && element.extension == wanted.extension;
    });
}

OrderGroup with_system(const OrderGroup& group, const SystemBuildpacks& system) {
    OrderGroup whole;
    for (const auto& element : system.pre)
        if (!contains(group, element)) whole.push_back(element);
    whole.insert(whole.end(), group.begin(), group.end());
    for (const auto& element : system.post)
        if (!contains(group, element)) whole.push_back(element);
    return whole;
}

class Expansion {
  public:
    Expansion(const OrderOf& order_of, const std::function<bool(const OrderGroup&)>& try_group)
        : order_of_(order_of), try_group_(try_group) {}

    // done: plain elements so far. rest: what stands behind them and is not looked at yet.
    bool expand(const OrderGroup& done, const OrderGroup& rest, std::size_t depth) {
        OrderGroup plain = done;
        for (std::size_t i = 0; i < rest.size(); ++i) {
            if (contains(plain, rest[i])) continue;
            const auto* order = order_of_(rest[i]);
            if (!order) {
                plain.push_back(rest[i]);
                continue;
            }
            if (depth == deepest_nesting)
                throw Error(ErrorKind::invalid_input, "the order of the composite buildpack " +
                                                          rest[i].full_name() +
                                                          " does not end: it contains itself");
            const OrderGroup after(rest.begin() + static_cast<std::ptrdiff_t>(i) + 1, rest.end());
            return expand_composite(plain, *order, after, rest[i].optional, depth + 1);
        }
        if (++groups_ > most_groups)
            throw Error(ErrorKind::invalid_input, "the order has more than 10,000 groups",
                        "Use fewer composite buildpacks side by side in one group.");
        return try_group_(plain);
    }

  private:
    bool expand_composite(const OrderGroup& done, const Order& order, const OrderGroup& after,
                          bool optional, std::size_t depth) {
        for (const auto& group : order) {
            OrderGroup rest = group;
            rest.insert(rest.end(), after.begin(), after.end());
            if (expand(done, rest, depth)) return true;
        }
        return optional && expand(done, after, depth);
    }

    const OrderOf& order_of_;
    const std::function<bool(const OrderGroup&)>& try_group_;
    std::size_t groups_ = 0;
};

OrderElement read_element(const nlohmann::json& table) {
    OrderElement element{base::json::get_string(table, "id"),
                         base::json::find_string(table, "version").value_or(""),
                         base::json::find_bool(table, "optional", false)};
    if (table.contains("exec-env"))
        element.execution_envs = base::json::get_strings(table, "exec-env");
    return element;
}

Order read_order(std::string_view toml, std::string_view what, const char* name) {
    const auto table = toml_to_json(toml, what);
    return base::while_doing("reading " + std::string(what), [&] {
        Order order;
        for (const auto& group : table.value(name, nlohmann::json::array())) {
            order.emplace_back();
            for (const auto& element : group.value("group", nlohmann::json::array()))
                order.back().push_back(read_element(element));
        }
        return order;
    });
}

} // namespace

bool for_each_group(const Order& order, const SystemBuildpacks& system, const OrderOf& order_of,
                    const std::function<bool(const OrderGroup&)>& try_group) {
    Expansion expansion(order_of, try_group);
    return std::any_of(order.begin(), order.end(), [&](const OrderGroup& group) {
        return expansion.expand({}, with_system(group, system), 0);
    });
}

Order parse_order(std::string_view toml, std::string_view what) {
    return read_order(toml, what, "order");
}

Order parse_extension_order(std::string_view toml, std::string_view what) {
    auto order = read_order(toml, what, "order-extensions");
    for (auto& group : order)
        for (auto& element : group) element.extension = element.optional = true;
    return order;
}

} // namespace buildpacks
