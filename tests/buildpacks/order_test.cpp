#include "buildpacks/order.h"

#include "base/error.h"

#include <catch2/catch.hpp>

#include <map>

using namespace buildpacks;

namespace {

// "a b? c" -> a group; ? is optional.
OrderGroup group(const std::string& text) {
    OrderGroup elements;
    std::string word;
    for (const char c : text + " ") {
        if (c != ' ') {
            word += c;
            continue;
        }
        if (word.empty()) continue;
        const bool optional = word.back() == '?';
        if (optional) word.pop_back();
        elements.push_back({word, "1", optional});
        word.clear();
    }
    return elements;
}

std::string text_of(const OrderGroup& elements) {
    std::string text;
    for (const auto& element : elements)
        text += (text.empty() ? "" : " ") + element.id + (element.optional ? "?" : "");
    return text;
}

using Composites = std::map<std::string, Order>;

std::vector<std::string> groups_of(const Order& order, const Composites& composites = {},
                                   const SystemBuildpacks& system = {}) {
    std::vector<std::string> groups;
    for_each_group(
        order, system,
        [&](const OrderElement& element) {
            const auto it = composites.find(element.id);
            return it == composites.end() ? nullptr : &it->second;
        },
        [&](const OrderGroup& tried) {
            groups.push_back(text_of(tried));
            return false;
        });
    return groups;
}

using Groups = std::vector<std::string>;

} // namespace

TEST_CASE("groups are tried in their order until one answers true") {
    Groups seen;
    const bool found = for_each_group(
        {group("a"), group("b"), group("c")}, {}, [](const OrderElement&) { return nullptr; },
        [&](const OrderGroup& tried) {
            seen.push_back(text_of(tried));
            return tried.front().id == "b";
        });
    CHECK(found);
    CHECK(seen == Groups{"a", "b"});
}

TEST_CASE("a composite is replaced in place by each of its groups in turn") {
    const Composites composites{{"c", {group("x y?"), group("z")}}};
    CHECK(groups_of({group("a c b?")}, composites) == Groups{"a x y? b?", "a z b?"});
}

TEST_CASE("composites side by side multiply, the left one varying slowest") {
    const Composites composites{{"c", {group("x"), group("y")}}, {"d", {group("m"), group("n")}}};
    CHECK(groups_of({group("c d")}, composites) == Groups{"x m", "x n", "y m", "y n"});
}

TEST_CASE("composites nest, depth first") {
    const Composites composites{{"outer", {group("inner z"), group("w")}},
                                {"inner", {group("x"), group("y")}}};
    CHECK(groups_of({group("outer last")}, composites) == Groups{"x z last", "y z last", "w last"});
}

TEST_CASE("an optional composite is left out last") {
    const Composites composites{{"c", {group("x")}}};
    CHECK(groups_of({group("a c? b")}, composites) == Groups{"a x b", "a b"});
}

TEST_CASE("an id that stands in the group already is not added again") {
    const Composites composites{{"c", {group("a x")}}};
    CHECK(groups_of({group("a c x?")}, composites) == Groups{"a x"});
}

TEST_CASE("system buildpacks stand at both ends of every group, unless the group names them") {
    const SystemBuildpacks system{group("first"), group("last?")};
    CHECK(groups_of({group("a"), group("last b")}, {}, system) ==
          Groups{"first a last?", "first last b"});
}

TEST_CASE("a system buildpack may be a composite") {
    const Composites composites{{"first", {group("x"), group("y")}}};
    CHECK(groups_of({group("a")}, composites, {group("first"), {}}) == Groups{"x a", "y a"});
}

TEST_CASE("a composite that contains itself is refused by its name") {
    const Composites composites{{"c", {group("a d")}}, {"d", {group("c")}}};
    // `a` is known after the first round, the composites are not: they are never elements.
    CHECK_THROWS_WITH(groups_of({group("c")}, composites), Catch::Contains("contains itself"));
}

TEST_CASE("an order that explodes is refused") {
    Composites composites;
    std::string all;
    for (const char name : std::string("abcdefghijklmn")) {
        const std::string id(1, name);
        composites[id] = {group(id + "1"), group(id + "2")};
        all += id + " ";
    }
    CHECK_THROWS_WITH(groups_of({group(all)}, composites), Catch::Contains("10,000 groups"));
}

TEST_CASE("an order is read from TOML with its versions and its optional ones") {
    const auto order = parse_order(R"(
        [[order]]
        [[order.group]]
        id = "a/b"
        version = "1.2.3"
        [[order.group]]
        id = "c"
        optional = true
        [[order]]
        [[order.group]]
        id = "d"
    )",
                                   "order.toml");
    REQUIRE(order.size() == 2);
    CHECK(order[0][0].full_name() == "a/b@1.2.3");
    CHECK(order[0][1].version.empty());
    CHECK(order[0][1].optional);
    CHECK(order[1][0].id == "d");
    CHECK_THROWS_WITH(parse_order("[[order]]\n[[order.group]]\nversion = \"1\"", "order.toml"),
                      Catch::Contains("id"));
}

TEST_CASE(
    "an order of image extensions is read beside that of the buildpacks, all of them optional") {
    const std::string text = R"(
        [[order]]
        [[order.group]]
        id = "a"
        exec-env = ["test"]
        [[order-extensions]]
        [[order-extensions.group]]
        id = "a"
        version = "1"
    )";
    const auto order = parse_order(text, "order.toml");
    REQUIRE(order.size() == 1);
    CHECK_FALSE(order[0][0].extension);
    CHECK(order[0][0].execution_envs == std::vector<std::string>{"test"});
    const auto extensions = parse_extension_order(text, "order.toml");
    REQUIRE(extensions.size() == 1);
    CHECK(extensions[0][0].extension);
    CHECK(extensions[0][0].optional);
    CHECK(parse_extension_order("", "order.toml").empty());
}

TEST_CASE("a buildpack and an image extension of the same id stand in one group") {
    const OrderElement extension{.id = "a", .version = "", .optional = true, .extension = true};
    OrderGroup seen;
    for_each_group(
        {{extension, {"a"}}}, {}, [](const OrderElement&) { return nullptr; },
        [&](const OrderGroup& group) {
            seen = group;
            return true;
        });
    CHECK(seen.size() == 2);
}
