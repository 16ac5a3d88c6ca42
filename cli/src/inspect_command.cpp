// `slipway inspect` and `slipway diff`: what is in an image, and what grew between two.
#include "context.h"
#include "image_files.h"
#include "image_reference.h"
#include "image_report.h"

#include "base/error.h"
#include "base/text.h"
#include "proof/bills.h"
#include "proof/statement.h"
#include "proof/verify.h"

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <memory>

namespace cli {
namespace {

using base::json::Value;

constexpr std::size_t shown_of_digest = 12;
constexpr std::size_t most_directories = 20;

std::string short_digest(const image::Digest& digest) {
    return digest.hex().substr(0, shown_of_digest);
}

// What somebody says about it. Looking is no trust: `slipway verify` asks who said so.
struct Said {
    std::optional<proof::Provenance> provenance;
    std::optional<std::vector<proof::Package>> packages;
};

Said read_said(const FoundImage& found, const base::Stop& stop) {
    const auto predicates = proof::read_predicates(*found.store, found.manifest.digest, stop);
    Said said;
    const auto read = [&](std::string_view type, const auto& parse) {
        const auto found = predicates.find(std::string(type));
        if (found == predicates.end()) return;
        try {
            parse(found->second);
        } catch (const base::Error&) { // another program's, in its own form
        }
    };
    read(proof::predicate_type::provenance,
         [&](const std::string& json) { said.provenance = proof::parse_provenance(json); });
    read(proof::predicate_type::cyclonedx,
         [&](const std::string& json) { said.packages = proof::packages_of(json); });
    return said;
}

// Why each layer is there, by its blob's digest: of the last build that gave this image.
std::map<std::string, std::string> reasons_of(const Said& said) {
    std::map<std::string, std::string> reasons;
    if (!said.provenance) return reasons;
    for (const auto& resource : said.provenance->byproducts) {
        const auto digest = resource.digest.find("sha256");
        const auto origin = resource.annotations.find(proof::origin_annotation);
        const auto reason = resource.annotations.find(proof::reason_annotation);
        if (resource.role != "layer" || digest == resource.digest.end() ||
            origin == resource.annotations.end() || reason == resource.annotations.end())
            continue;
        reasons["sha256:" + digest->second] =
            (origin->second == "made" ? "made: " : "reused: ") + reason->second;
    }
    return reasons;
}

std::string reason_of(const std::map<std::string, std::string>& reasons,
                      const ReportedLayer& layer) {
    if (layer.by == "run image") return "base image";
    const auto found = reasons.find(layer.layer.descriptor.digest.render());
    return found == reasons.end() ? std::string() : found->second;
}

// "312 (npm 300, deb 12)"
std::string count_packages(const std::vector<proof::Package>& packages) {
    std::map<std::string, std::size_t> types;
    for (const auto& package : packages) ++types[package.type];
    std::vector<std::string> words;
    for (const auto& [type, count] : types) words.push_back(type + " " + std::to_string(count));
    return std::to_string(packages.size()) + (words.empty() ? "" : " (" + join(words, ", ") + ")");
}

std::string shown_name(const std::string& by, const std::string& name) {
    return base::printable(name.empty() ? by : by + ": " + name);
}

Value to_json(const FoundImage& found, const image::Image& image, const ImageReport& report,
              const Said& said) {
    auto layers = Value::array(), processes = Value::array();
    const auto reasons = reasons_of(said);
    for (const auto& layer : report.layers)
        layers.push_back({{"by", layer.by},
                          {"name", layer.name},
                          {"digest", layer.layer.descriptor.digest.render()},
                          {"diff_id", layer.layer.diff_id.render()},
                          {"size", layer.layer.descriptor.size},
                          {"reason", reason_of(reasons, layer)}});
    for (const auto& process : report.processes)
        processes.push_back({{"type", process.type},
                             {"command", process.command},
                             {"default", process.is_default}});
    return {{"reference", found.name},
            {"digest", found.manifest.digest.render()},
            {"size", image.total_size()},
            {"architecture", image.architecture()},
            {"run_image", report.run_image},
            {"buildpacks", report.buildpacks},
            {"processes", processes},
            {"layers", layers},
            {"packages", said.packages ? Value(said.packages->size()) : Value(nullptr)},
            {"provenance",
             said.provenance ? Value::parse(proof::render(*said.provenance)) : Value(nullptr)}};
}

void inspect(const Context& context, const std::string& reference) {
    const auto found = find_image(context, reference);
    const auto image = read_image(found, context.interrupted);
    const auto report = report_on(image);
    const auto said = read_said(found, context.interrupted);
    if (context.json) return print_json(to_json(found, image, report, said));
    print_fields(
        {{"Image", found.name},
         {"Size", base::human_bytes(image.total_size())},
         {"Run image", base::printable(report.run_image)},
         {"Buildpacks", base::printable(join(report.buildpacks, ", "))},
         {"Packages",
          said.packages ? base::printable(count_packages(*said.packages)) : "no bill of materials"},
         {"Provenance", said.provenance
                            ? base::printable("build " + said.provenance->build + " of " +
                                              said.provenance->app + ", unchecked: slipway verify")
                            : "none"}});
    std::vector<Row> processes, layers;
    for (const auto& process : report.processes)
        processes.push_back({base::printable(process.type) + (process.is_default ? " *" : ""),
                             base::printable(process.command)});
    if (!processes.empty()) print_table({"PROCESS", "COMMAND"}, processes);
    const auto reasons = reasons_of(said);
    for (const auto& layer : report.layers)
        layers.push_back({shown_name(layer.by, layer.name),
                          base::human_bytes(layer.layer.descriptor.size),
                          short_digest(layer.layer.descriptor.digest),
                          base::printable(reason_of(reasons, layer))});
    print_table({"LAYER", "SIZE", "DIGEST", "WHY"}, layers);
}

// CycloneDX or SPDX as it is attached, for other programs.
void print_bill(const Context& context, const std::string& reference, const std::string& format) {
    const auto found = find_image(context, reference);
    const auto predicates =
        proof::read_predicates(*found.store, found.manifest.digest, context.interrupted);
    const auto type =
        format == "spdx" ? proof::predicate_type::spdx : proof::predicate_type::cyclonedx;
    const auto bill = predicates.find(std::string(type));
    if (bill == predicates.end())
        throw base::Error(base::ErrorKind::not_found, found.name + " has no bill of materials");
    print_line(bill->second);
}

struct Difference {
    std::vector<LayerChange> layers;          // without those that are the same
    std::vector<DirectoryChange> directories; // in these layers, uncompressed
    std::vector<SettingChange> settings;
    std::vector<proof::Package> added, removed;
    bool packages_known = false;
};

// Only layers that differ are read.
std::vector<DirectoryChange> grown_directories(const FoundImage& before, const ImageReport& then,
                                               const FoundImage& after, const ImageReport& now,
                                               const std::vector<LayerChange>& changes,
                                               const base::Stop& stop) {
    const auto old_groups = group_layers(then), new_groups = group_layers(now);
    std::vector<DirectoryChange> all;
    for (const auto& change : changes) {
        const LayerGroup like{change.by, change.name, {}};
        const auto* old_group = find_group(old_groups, like);
        const auto* new_group = find_group(new_groups, like);
        const auto changed = compare_directories(
            old_group ? read_files(*before.store, old_group->layers, stop) : FileMap(),
            new_group ? read_files(*after.store, new_group->layers, stop) : FileMap());
        all.insert(all.end(), changed.begin(), changed.end());
    }
    return all;
}

Difference compare(const FoundImage& before, const FoundImage& after, const base::Stop& stop) {
    const auto old_image = read_image(before, stop), new_image = read_image(after, stop);
    Difference difference;
    const auto then = report_on(old_image), now = report_on(new_image);
    difference.layers = compare_layers(then, now);
    std::erase_if(difference.layers,
                  [](const LayerChange& change) { return change.kind == LayerChange::Kind::same; });
    difference.directories = grown_directories(before, then, after, now, difference.layers, stop);
    difference.settings = compare_settings(old_image, new_image);
    const auto old_said = read_said(before, stop), new_said = read_said(after, stop);
    difference.packages_known = old_said.packages && new_said.packages;
    if (!difference.packages_known) return difference;
    const auto& old_packages = *old_said.packages;
    const auto& new_packages = *new_said.packages;
    std::set_difference(new_packages.begin(), new_packages.end(), old_packages.begin(),
                        old_packages.end(), std::back_inserter(difference.added));
    std::set_difference(old_packages.begin(), old_packages.end(), new_packages.begin(),
                        new_packages.end(), std::back_inserter(difference.removed));
    return difference;
}

const char* word_of(LayerChange::Kind kind) {
    switch (kind) {
    case LayerChange::Kind::added:
        return "added";
    case LayerChange::Kind::removed:
        return "removed";
    case LayerChange::Kind::changed:
        return "changed";
    case LayerChange::Kind::same:
        break;
    }
    return "same";
}

std::string growth(std::uint64_t before, std::uint64_t after) {
    const bool less = after < before;
    return (less ? "-" : "+") + base::human_bytes(less ? before - after : after - before);
}

Value to_json(const std::vector<proof::Package>& packages) {
    auto list = Value::array();
    for (const auto& each : packages)
        list.push_back({{"type", each.type}, {"name", each.name}, {"version", each.version}});
    return list;
}

Value to_json(const Difference& difference) {
    auto layers = Value::array(), directories = Value::array(), settings = Value::array();
    for (const auto& change : difference.directories)
        directories.push_back(
            {{"directory", change.directory}, {"before", change.before}, {"after", change.after}});
    for (const auto& change : difference.layers)
        layers.push_back({{"change", word_of(change.kind)},
                          {"by", change.by},
                          {"name", change.name},
                          {"before", change.before},
                          {"after", change.after}});
    for (const auto& change : difference.settings)
        settings.push_back(
            {{"name", change.name}, {"before", change.before}, {"after", change.after}});
    return {{"layers", layers},
            {"directories", directories},
            {"settings", settings},
            {"packages", difference.packages_known ? Value{{"added", to_json(difference.added)},
                                                           {"removed", to_json(difference.removed)}}
                                                   : Value(nullptr)}};
}

std::string shown(const proof::Package& package) {
    return base::printable(package.type + " " + package.name + " " + package.version);
}

void print_difference(const Difference& difference) {
    std::vector<Row> layers, directories, settings, packages;
    for (const auto& change : difference.layers)
        layers.push_back({word_of(change.kind), shown_name(change.by, change.name),
                          base::human_bytes(change.after), growth(change.before, change.after)});
    for (const auto& change : difference.directories)
        if (directories.size() < most_directories)
            directories.push_back({base::printable(change.directory),
                                   base::human_bytes(change.after),
                                   growth(change.before, change.after)});
    for (const auto& change : difference.settings)
        settings.push_back({base::printable(change.name), base::printable(change.before),
                            base::printable(change.after)});
    for (const auto& package : difference.added) packages.push_back({"added", shown(package)});
    for (const auto& package : difference.removed) packages.push_back({"removed", shown(package)});
    if (!layers.empty()) print_table({"CHANGE", "LAYER", "SIZE", "GREW"}, layers);
    if (!directories.empty()) print_table({"DIRECTORY", "SIZE", "GREW"}, directories);
    if (difference.directories.size() > directories.size())
        print_line(std::to_string(difference.directories.size() - directories.size()) +
                   " more directories: --json has them all");
    if (!settings.empty()) print_table({"SETTING", "BEFORE", "AFTER"}, settings);
    if (!packages.empty()) print_table({"CHANGE", "PACKAGE"}, packages);
    if (layers.empty() && settings.empty()) print_line("Both have the same content.");
    if (!difference.packages_known)
        print_line("Packages: not both images have a bill of materials.");
}

void diff(const Context& context, const std::string& before, const std::string& after) {
    const auto old_image = find_image(context, before), new_image = find_image(context, after);
    const auto difference = compare(old_image, new_image, context.interrupted);
    if (context.json) return print_json(to_json(difference));
    print_fields({{"Before", old_image.name}, {"After", new_image.name}});
    print_difference(difference);
}

} // namespace

void add_inspect(CLI::App& root, Context& context) {
    struct Options {
        std::string first, second, bill;
    };
    const auto options = std::make_shared<Options>();
    auto* command = root.add_subcommand(
        "inspect", "show an image's layers, buildpacks, processes and what is said about it");
    command->add_option("image", options->first, reference_help)->required();
    command->add_option("--sbom", options->bill, "print its bill of materials instead")
        ->check(CLI::IsMember({"cyclonedx", "spdx"}));
    command->callback([=, &context] {
        if (options->bill.empty()) return inspect(context, options->first);
        print_bill(context, options->first, options->bill);
    });

    auto* other = root.add_subcommand(
        "diff", "show what changed between two images: layers, packages, settings");
    other->add_option("before", options->first, reference_help)->required();
    other->add_option("after", options->second, "likewise")->required();
    other->callback([=, &context] { diff(context, options->first, options->second); });
}

} // namespace cli
