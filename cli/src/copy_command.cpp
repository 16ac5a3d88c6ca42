// `slipway copy` and `slipway index create`: images between registries and layouts, and one name
// for the images of several machines.
#include "context.h"
#include "image_reference.h"

#include "base/error.h"
#include "base/text.h"
#include "image/index.h"

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include <map>
#include <memory>

namespace cli {
namespace {

using base::Error;
using base::ErrorKind;
using base::json::Value;

Value to_json(const image::CopyReport& report) {
    return {{"manifests", report.manifests},
            {"sent", report.sent},
            {"mounted", report.mounted},
            {"there", report.there},
            {"bytes_sent", report.bytes_sent}};
}

std::string name_of(const image::Platform& platform) {
    return platform.os + "/" + platform.architecture +
           (platform.variant.empty() ? "" : "/" + platform.variant);
}

image::RawManifest read_member(const FoundImage& found, const image::Digest& digest,
                               const base::Stop& stop) {
    auto manifest = found.store->read_manifest(digest.render(), stop);
    if (!manifest)
        throw Error(ErrorKind::not_found, "the image " + digest.render() + ", which " + found.name +
                                              " names, is not there");
    return std::move(*manifest);
}

struct CopyArguments {
    std::string from, to, architecture;
    bool all = false;
};

FoundImage find_source(const Context& context, const CopyArguments& arguments) {
    auto found = find_image(context, arguments.from, OfIndex::whole);
    if (arguments.architecture.empty()) return found;
    const auto chosen = image::choose_from_index(found.manifest, arguments.architecture);
    if (!chosen)
        throw Error(ErrorKind::invalid_input, found.name + " is the image of one architecture",
                    "Leave --architecture out.");
    found.manifest = read_member(found, *chosen, context.interrupted);
    return found;
}

void copy(const Context& context, const CopyArguments& arguments) {
    const auto from = find_source(context, arguments);
    const auto to = open_destination(context, arguments.to);
    const auto report = copy_image(
        from, from.manifest, to, {.tag = to.tag, .referrers = arguments.all}, context.interrupted);
    const auto digest = from.manifest.digest.render();
    const auto name = to.place + ":" + to.tag;
    if (context.json) {
        auto result = to_json(report);
        result["reference"] = name;
        result["digest"] = digest;
        return print_json(result);
    }
    print_line("Copied to " + name + ": " + describe(report));
    print_line(digest);
}

// ---- index create

// What an index says of one image, and where that lies.
struct Member {
    std::string name;
    const FoundImage* from = nullptr;
    image::Index::Entry entry;
};

std::vector<Member> members_of(const FoundImage& found, const base::Stop& stop) {
    const bool is_index = found.manifest.media_type == image::media_type::index ||
                          found.manifest.media_type == image::media_type::docker_manifest_list;
    std::vector<Member> members;
    if (is_index) {
        const auto index = image::Index::parse(found.manifest);
        for (const auto& entry : index.entries()) members.push_back({found.name, &found, entry});
        return members;
    }
    const image::Descriptor manifest{found.manifest.media_type, found.manifest.digest,
                                     found.manifest.bytes.size()};
    members.push_back(
        {found.name, &found, {manifest, image::read_platform(*found.store, found.manifest, stop)}});
    return members;
}

// Two images of one platform would hide each other, and a mixed list is none.
void check(const std::vector<Member>& members) {
    std::map<image::Platform, const Member*> by_platform;
    for (const auto& member : members) {
        if (member.entry.platform.os == "unknown") continue; // attestations
        const auto [it, is_new] = by_platform.try_emplace(member.entry.platform, &member);
        if (!is_new && it->second->entry.manifest.digest != member.entry.manifest.digest)
            throw Error(ErrorKind::invalid_input,
                        it->second->name + " and " + member.name + " are both for " +
                            name_of(member.entry.platform),
                        "An index has one image for each platform.");
        const auto& first = members.front();
        if (member.entry.manifest.media_type != first.entry.manifest.media_type)
            throw Error(ErrorKind::invalid_input,
                        first.name + " is of the type " + first.entry.manifest.media_type +
                            " and " + member.name + " of " + member.entry.manifest.media_type,
                        "An index has images of OCI's types or of Docker's, not of both.");
    }
}

void create_index(const Context& context, const std::string& name,
                  const std::vector<std::string>& images, bool all) {
    std::vector<FoundImage> found;
    for (const auto& image : images) found.push_back(find_image(context, image, OfIndex::whole));
    std::vector<Member> members;
    for (const auto& image : found)
        for (auto& member : members_of(image, context.interrupted))
            members.push_back(std::move(member));
    check(members);
    image::Index index;
    for (const auto& member : members) index = index.with(member.entry);
    const auto rendered = index.render();

    const auto to = open_destination(context, name);
    image::CopyReport report;
    for (const auto& member : members)
        report +=
            copy_image(*member.from,
                       read_member(*member.from, member.entry.manifest.digest, context.interrupted),
                       to, {.referrers = all}, context.interrupted);
    to.store->write_manifest(rendered, to.tag, context.interrupted);
    if (context.json) {
        auto result = to_json(report);
        result["reference"] = to.place + ":" + to.tag;
        result["digest"] = rendered.digest.render();
        auto& list = result["images"] = Value::array();
        for (const auto& member : members)
            list.push_back({{"platform", name_of(member.entry.platform)},
                            {"digest", member.entry.manifest.digest.render()}});
        return print_json(result);
    }
    std::vector<Row> rows;
    for (const auto& member : members)
        rows.push_back({base::printable(name_of(member.entry.platform)),
                        member.entry.manifest.digest.render()});
    print_table({"PLATFORM", "IMAGE"}, rows);
    print_line("Written to " + to.place + ":" + to.tag + ": " + describe(report));
    print_line(rendered.digest.render());
}

} // namespace

void add_copy(CLI::App& root, Context& context) {
    const auto arguments = std::make_shared<CopyArguments>();
    auto* command = root.add_subcommand(
        "copy", "copy an image between registries and layouts, with every architecture it has");
    command->add_option("from", arguments->from, reference_help)->required();
    command->add_option("to", arguments->to, destination_help)->required();
    command->add_flag("--all", arguments->all,
                      "with what is attached: signatures, provenance, bills of materials");
    command->add_option("--architecture", arguments->architecture,
                        "of an index this image alone: amd64, arm64, ...");
    command->callback([=, &context] { copy(context, *arguments); });
}

void add_index(CLI::App& root, Context& context) {
    struct Options {
        std::string name;
        std::vector<std::string> images;
        bool all = false;
    };
    const auto options = std::make_shared<Options>();
    auto* index = root.add_subcommand("index", "one name for the images of several architectures");
    index->require_subcommand(1);
    auto* created =
        index->add_subcommand("create", "make an index of images that several machines built");
    created->add_option("name", options->name, destination_help)->required();
    created->add_option("images", options->images, "each one: " + std::string(reference_help))
        ->required();
    created->add_flag("--all", options->all,
                      "with what is attached: signatures, provenance, bills of materials");
    created->callback(
        [=, &context] { create_index(context, options->name, options->images, options->all); });
}

} // namespace cli
