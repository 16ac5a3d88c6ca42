#include "rebase_rules.h"

#include "base/error.h"
#include "base/text.h"

#include <nlohmann/json.hpp>

#include <charconv>
#include <set>

namespace builder {
namespace {

using base::Error;
using base::ErrorKind;
using base::json::Value;

constexpr const char* stack_label = "io.buildpacks.stack.id";
constexpr const char* mixins_label = "io.buildpacks.stack.mixins";
constexpr const char* rebasable_label = "io.buildpacks.rebasable";
constexpr const char* distribution_label = "io.buildpacks.base.distro.name";
constexpr const char* version_label = "io.buildpacks.base.distro.version";

[[noreturn]] void refuse(std::string message, std::string hint = {}) {
    throw Error(ErrorKind::invalid_input, std::move(message), std::move(hint));
}

std::string label_of(const image::Image& image, const char* name) {
    const auto& labels = image.config().labels;
    const auto found = labels.find(name);
    return found == labels.end() ? "" : found->second;
}

// "0.12" and newer. An image that does not say is an old one.
bool has_targets(const image::Image& app) {
    constexpr std::string_view variable = "CNB_PLATFORM_API=";
    for (const auto& entry : app.config().environment) {
        if (!entry.starts_with(variable)) continue;
        const std::string_view api = std::string_view(entry).substr(variable.size());
        int major = 0, minor = 0;
        const auto* end = api.data() + api.size();
        const auto first = std::from_chars(api.data(), end, major);
        if (first.ptr != end && *first.ptr == '.') std::from_chars(first.ptr + 1, end, minor);
        return major > 0 || minor >= 12;
    }
    return false;
}

// "run:mixin" and "build:mixin" are that mixin.
std::set<std::string> mixins_of(const image::Image& image) {
    std::set<std::string> mixins;
    const auto text = label_of(image, mixins_label);
    if (text.empty()) return mixins;
    const auto list = base::json::parse(text, mixins_label);
    if (list.is_null()) return mixins;
    if (!list.is_array()) refuse(std::string(mixins_label) + " is no list");
    for (const auto& entry : list) {
        if (!entry.is_string()) refuse(std::string(mixins_label) + " is no list of words");
        const auto word = entry.get<std::string>();
        mixins.insert(word.substr(word.find(':') + 1)); // npos + 1: all of it
    }
    return mixins;
}

struct Target {
    std::string architecture, variant, distribution, version;
    std::string render() const {
        return "linux/" + architecture + (variant.empty() ? "" : "/" + variant) +
               (distribution.empty() && version.empty()
                    ? ""
                    : " (" + distribution + " " + version + ")");
    }
};

Target target_of(const image::Image& image) {
    return {image.architecture(), image.variant(), label_of(image, distribution_label),
            label_of(image, version_label)};
}

// A run image that does not name its variant or its distribution fits every one; one that names a
// distribution does not fit an app of which it is unknown.
bool fits(const Target& run, const Target& app) {
    const auto same = [](const std::string& wanted, const std::string& there) {
        return wanted.empty() || wanted == there;
    };
    return run.architecture == app.architecture &&
           (app.variant.empty() || same(run.variant, app.variant)) &&
           same(run.distribution, app.distribution) && same(run.version, app.version);
}

// Our label: any registry and tag of this repository. A lifecycle's: as its rebaser compares, where
// no tag is "latest".
bool is_named(const image::Reference& name, const std::string& recorded, bool with_registry) {
    if (recorded.empty()) return false;
    try {
        const auto known = image::Reference::parse(recorded);
        if (!with_registry) return recorded == name.repository;
        return known.registry == name.registry && known.repository == name.repository &&
               known.tag.value_or("latest") == name.tag.value_or("latest");
    } catch (const Error&) {
        return false;
    }
}

std::vector<std::string> names_in(const Value& run_image) {
    std::vector<std::string> names;
    if (!run_image.is_object()) return names;
    if (auto name = base::json::find_string(run_image, "image")) names.push_back(std::move(*name));
    const auto mirrors = run_image.find("mirrors");
    if (mirrors != run_image.end() && mirrors->is_array())
        for (const auto& mirror : *mirrors)
            if (mirror.is_string()) names.push_back(mirror.get<std::string>());
    return names;
}

} // namespace

bool names_registry(std::string_view reference) {
    const auto slash = reference.find('/');
    if (slash == reference.npos) return false;
    const auto first = reference.substr(0, slash);
    return first.find_first_of(".:") != first.npos || first == "localhost";
}

void RebaseRules::insist(std::string message) {
    if (force_ == Force::no)
        refuse(std::move(message), "With force (--force) it is done all the same.");
    warnings_.push_back(std::move(message));
}

void RebaseRules::check_base() {
    if (has_targets(app_)) return check_target();
    check_stack();
    check_mixins();
}

void RebaseRules::check_target() {
    if (label_of(app_, rebasable_label) == "false")
        insist(std::string("the image says that it is not to be rebased (") + rebasable_label +
               " is false)");
    const auto run = target_of(run_.image), app = target_of(app_);
    if (!fits(run, app))
        insist("the run image is for " + base::printable(run.render()) + ", the app for " +
               base::printable(app.render()));
}

void RebaseRules::check_stack() const {
    const auto app = label_of(app_, stack_label), run = label_of(run_.image, stack_label);
    if (app.empty() || run.empty())
        refuse(std::string(app.empty() ? "the app's image" : "the run image") +
               " names no stack (" + stack_label + ")");
    if (app != run)
        refuse("the run image is of the stack " + base::quoted(run) + ", the app of " +
               base::quoted(app));
}

void RebaseRules::check_mixins() const {
    const auto there = mixins_of(run_.image);
    std::string missing;
    for (const auto& mixin : mixins_of(app_))
        if (!there.contains(mixin)) missing += (missing.empty() ? "" : ", ") + mixin;
    if (!missing.empty()) refuse("the run image lacks the mixins " + base::printable(missing));
}

bool RebaseRules::check_name(const Value& metadata) {
    const auto& recorded = metadata.at("runImage");
    const bool with_registry =
        names_registry(base::json::find_string(recorded, "reference").value_or(""));
    auto names = names_in(recorded);
    if (const auto stack = metadata.find("stack"); stack != metadata.end() && stack->is_object())
        for (auto& name : names_in(stack->value("runImage", Value())))
            names.push_back(std::move(name));
    for (const auto& name : names)
        if (is_named(run_.name, name, with_registry)) return true;
    insist("the app was built on the run image " +
           (names.empty() ? std::string("of no name") : base::quoted(names.front())) + ", and " +
           run_.name.repository + " is neither that nor a mirror of it");
    return false;
}

} // namespace builder
