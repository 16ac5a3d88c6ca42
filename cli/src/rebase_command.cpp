// `slipway rebase`: apps, or one image, on another run image without a build.
#include "api_client.h"
#include "context.h"
#include "image_reference.h"

#include "cli/exit_code.h"

#include "base/error.h"
#include "base/text.h"
#include "builder/run_layers.h"
#include "image/index.h"
#include "image/reference.h"

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <memory>

namespace cli {
namespace {

using base::Error;
using base::ErrorKind;
using base::json::Value;

// Of one request: each is answered within seconds, and people see how far it is.
constexpr std::size_t apps_of_a_request = 250;
constexpr std::size_t shown_of_digest = 19; // "sha256:" and twelve digits

struct Options {
    std::string what, run;
    bool all = false;
    bool dry_run = false;
    bool force = false;
};

std::string short_digest(const Value& one, const char* name) {
    return text_of(one, name).substr(0, shown_of_digest);
}

void print_apps(const Value& apps) {
    std::vector<Row> rows;
    for (const auto& one : apps)
        rows.push_back({text_of(one, "app"), text_of(one, "result"), short_digest(one, "from"),
                        short_digest(one, "to"), text_of(one, "build")});
    print_table({"APP", "RESULT", "FROM", "TO", "BUILD"}, rows);
    for (const auto& one : apps) {
        for (const auto& warning : one.value("warnings", Value::array()))
            print_line(text_of(one, "app") +
                       ": warning: " + base::printable(warning.get<std::string>()));
        if (text_of(one, "result") != "failed") continue;
        print_line(text_of(one, "app") + ": " + base::printable(text_of(one, "reason")));
        if (const auto hint = text_of(one, "hint"); !hint.empty())
            print_line("       " + base::printable(hint));
    }
}

void print_counts(const std::map<std::string, std::int64_t>& counts) {
    std::string text;
    for (const auto& [result, count] : counts)
        if (count > 0) text += (text.empty() ? "" : ", ") + std::to_string(count) + " " + result;
    print_line(text.empty() ? "There are no apps." : text);
}

Value wish_of(const Options& options) {
    Value wish{{"dry_run", options.dry_run}, {"force", options.force}};
    if (!options.run.empty()) wish["run"] = options.run;
    return wish;
}

void rebase_all(Context& context, const Options& options) {
    std::vector<std::string> names;
    for (const auto& app : context.api().list(api_path({"apps"}), "apps"))
        names.push_back(base::json::get_string(app, "name"));
    Value apps = Value::array();
    std::map<std::string, std::int64_t> counts;
    for (std::size_t at = 0; at < names.size(); at += apps_of_a_request) {
        auto wish = wish_of(options);
        const auto end = std::min(names.size(), at + apps_of_a_request);
        wish["apps"] = std::vector<std::string>(names.begin() + static_cast<std::ptrdiff_t>(at),
                                                names.begin() + static_cast<std::ptrdiff_t>(end));
        const auto report =
            member(context.api().post(api_path({"rebase"}), {{"rebase", wish}}), "rebase");
        if (!context.json) print_apps(report.at("apps"));
        for (const auto& [result, count] : report.at("counts").items())
            counts[result] += count.get<std::int64_t>();
        for (const auto& one : report.at("apps")) apps.push_back(one);
    }
    if (counts["failed"] > 0) context.exit_code = exit_code::other;
    if (!context.json) return print_counts(counts);
    print_json({{"dry_run", options.dry_run}, {"counts", counts}, {"apps", apps}});
}

void rebase_app(Context& context, const Options& options) {
    const auto one = member(context.api().post(api_path({"apps", options.what, "rebase"}),
                                               {{"rebase", wish_of(options)}}),
                            "rebase");
    if (text_of(one, "result") == "failed") context.exit_code = exit_code::other;
    if (context.json) return print_json(one);
    print_apps(Value::array({one}));
}

// An image without a server: its tag is moved.
struct Place {
    std::string registry, repository; // of a layout empty
    std::string tag;
};

Place place_of(const std::string& text) {
    if (kind_of_reference(text) == ReferenceKind::layout)
        if (auto tag = parse_layout_reference(text).tag; !tag.empty())
            return {"", "", tag};
        else
            return {"", "", "latest"};
    const auto reference = image::Reference::parse(text);
    if (reference.digest)
        throw Error(ErrorKind::invalid_input, "a digest always is the same image",
                    "Name the tag that the new image is to have: " +
                        reference.with_tag("latest").render());
    return {reference.registry, reference.repository, reference.tag.value_or("latest")};
}

// Nothing runs here: an image may be for any processor.
image::Image read_for_any(const FoundImage& found, const base::Stop& stop) {
    const auto platform = image::read_platform(*found.store, found.manifest, stop);
    return image::read_image(*found.store, found.manifest.digest.render(), platform.architecture,
                             found.name, stop);
}

// Of several architectures the app's.
builder::RunImage read_run_image(const FoundImage& found, const std::string& text,
                                 const std::string& architecture, const base::Stop& stop) {
    if (kind_of_reference(text) != ReferenceKind::registry)
        throw Error(ErrorKind::invalid_input,
                    base::quoted(text) + " is no image of a registry, which a run image must be");
    const auto name = image::Reference::parse(text);
    if (const auto chosen = image::choose_from_index(found.manifest, architecture))
        return {name, *chosen,
                image::read_image(*found.store, chosen->render(), architecture, found.name, stop)};
    return {name, found.manifest.digest, read_for_any(found, stop)};
}

void rebase_image(const Context& context, const Options& options) {
    if (options.run.empty())
        throw Error(ErrorKind::invalid_input, "the run image is missing",
                    "Name it with --run; only an app has a stack.");
    const auto place = place_of(options.what);
    const auto found = find_image(context, options.what);
    const auto named = found.store->read_manifest(place.tag, context.interrupted);
    if (!named || named->digest != found.manifest.digest)
        throw Error(ErrorKind::invalid_input,
                    base::quoted(options.what) + " is an index of several images",
                    "Rebase each of them under a tag of its own.");
    const auto before = read_for_any(found, context.interrupted);
    auto run_found = find_image(context, options.run, OfIndex::whole);
    const auto run =
        read_run_image(run_found, options.run, before.architecture(), context.interrupted);
    const auto made =
        builder::rebase(before, run, options.force ? builder::Force::yes : builder::Force::no);
    const auto digest = made.image.digest();
    const bool same = digest == found.manifest.digest;
    if (!same && !options.dry_run) {
        builder::RunLayers layers(run, std::move(run_found.store), place.registry);
        layers.put(*found.store, place.repository, before, context.interrupted);
        builder::write_image(*found.store, place.repository, made.image, place.tag,
                             context.interrupted);
    }
    const Value report{{"image", options.what},
                       {"result", same              ? "unchanged"
                                  : options.dry_run ? "would-rebase"
                                                    : "rebased"},
                       {"run", run.pinned().render()},
                       {"from", found.manifest.digest.render()},
                       {"to", digest.render()},
                       {"warnings", made.warnings}};
    if (context.json) return print_json(report);
    for (const auto& warning : made.warnings) print_line("Warning: " + base::printable(warning));
    print_fields({{"Image", options.what},
                  {"Result", text_of(report, "result")},
                  {"Run image", text_of(report, "run")},
                  {"From", text_of(report, "from")},
                  {"To", text_of(report, "to")}});
}

void rebase(Context& context, const Options& options) {
    if (options.all != options.what.empty())
        throw Error(ErrorKind::invalid_input, "either one app or image, or --all",
                    "slipway rebase APP, or slipway rebase --all.");
    if (options.all) return rebase_all(context, options);
    switch (kind_of_reference(options.what)) {
    case ReferenceKind::registry:
    case ReferenceKind::layout:
        return rebase_image(context, options);
    case ReferenceKind::build:
    case ReferenceKind::app:
        return rebase_app(context, options);
    }
}

} // namespace

void add_rebase(CLI::App& root, Context& context) {
    const auto options = std::make_shared<Options>();
    auto* command =
        root.add_subcommand("rebase", "put apps on another run image without building them");
    command->add_option("-a,--app,app", options->what,
                        "an app, or without a server HOST/REPOSITORY[:TAG] or oci:PATH[:TAG]");
    command->add_flag("--all", options->all, "every app");
    command->add_option("--run", options->run,
                        "reference of the run image (default: that of the app's stack)");
    command->add_flag("--dry-run", options->dry_run, "say what would become of it");
    command->add_flag("--force", options->force,
                      "also another distribution, another name, or what says it is not rebasable");
    command->callback([=, &context] { rebase(context, *options); });
}

} // namespace cli
