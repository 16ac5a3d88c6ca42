#include "buildpacks/plan.h"

#include <catch2/catch.hpp>

using namespace buildpacks;

namespace {

PlanSection section(std::vector<std::string> provides, std::vector<std::string> requires_) {
    PlanSection made{.provides = std::move(provides), .requires_ = {}};
    for (auto& name : requires_) made.requires_.push_back({std::move(name), "{}"});
    return made;
}

Candidate pack(std::string name, std::vector<PlanSection> sections, bool optional = false) {
    return {std::move(name), optional, std::move(sections)};
}

// "a:x,y b: -" : each candidate with the names it must meet, "-" when it left the group.
std::string shown(const std::vector<Candidate>& candidates) {
    std::vector<std::string> why;
    const auto trial = resolve(candidates, why);
    if (!trial) return "none: " + (why.empty() ? "" : why.back());
    std::string text;
    for (std::size_t i = 0; i < candidates.size(); ++i) {
        text += (i ? " " : "") + candidates[i].name + ":";
        if (!trial->plans[i])
            text += "-";
        else
            for (const auto& entry : *trial->plans[i]) text += entry.name + ",";
    }
    return text;
}

} // namespace

TEST_CASE("a buildpack that provides what it requires stands alone") {
    CHECK(shown({pack("node", {section({"node"}, {"node"})})}) == "node:node,");
}

TEST_CASE("buildpacks without a plan pass") {
    CHECK(shown({pack("a", {section({}, {})}), pack("b", {section({}, {})})}) == "a: b:");
}

TEST_CASE("a requirement is met by a provider before it, not by one after it") {
    CHECK(shown({pack("node", {section({"node"}, {})}), pack("npm", {section({}, {"node"})})}) ==
          "node:node, npm:");
    CHECK(shown({pack("npm", {section({}, {"node"})}), pack("node", {section({"node"}, {})})}) ==
          "none: npm requires \"node\", which nothing before it provides");
}

TEST_CASE("a provider that nobody asks fails its group, or leaves it when it is optional") {
    CHECK(shown({pack("node", {section({"node"}, {})}), pack("b", {section({}, {})})}) ==
          "none: node provides \"node\", which nothing after it requires");
    CHECK(shown({pack("node", {section({"node"}, {})}, true), pack("b", {section({}, {})})}) ==
          "node:- b:");
}

TEST_CASE("one that leaves takes with it what it required, until all is stable") {
    CHECK(shown({pack("a", {section({"x"}, {})}, true),
                 pack("b", {section({}, {"x", "missing"})}, true), pack("c", {section({}, {})})}) ==
          "a:- b:- c:");
}

TEST_CASE("a group of which everybody left does not pass") {
    CHECK(shown({pack("a", {section({"x"}, {})}, true)}).starts_with("none: "));
}

TEST_CASE("alternatives are tried in order, the last buildpack's fastest") {
    const auto first = pack("a", {section({"x"}, {}), section({"y"}, {})});
    CHECK(shown({first, pack("b", {section({}, {"z"}), section({}, {"y"}), section({}, {"x"})})}) ==
          "a:x, b:");
}

TEST_CASE("optional counts on the last alternative only") {
    // With its first section the optional one would leave and the group pass without it; the
    // second section fits, and is tried before it may leave.
    CHECK(shown({pack("a", {section({"x"}, {})}),
                 pack("b", {section({}, {"missing"}), section({}, {"x"})}, true)}) == "a:x, b:");
}

TEST_CASE("every provider of a name gets all entries that require it") {
    CHECK(shown({pack("a", {section({"x"}, {})}), pack("b", {section({"x"}, {"x"})}),
                 pack("c", {section({}, {"x"})})}) == "a:x,x, b:x,x, c:");
}
