// `slipway buildpack`: one buildpack with what it needs, as an image or a .cnb file.
#include "gather.h"
#include "images.h"
#include "order_tree.h"

#include "image/image.h"
#include "packages/inspect.h"

#include "base/temp_dir.h"
#include "base/text.h"

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include <memory>

namespace cli {
namespace {

namespace fs = std::filesystem;
using base::Error;
using base::ErrorKind;
using base::json::Value;

struct Options {
    std::string name, config, path, format, publish, output;
};

bool is_cnb_file(const std::string& name) {
    return name.ends_with(".cnb");
}

bool is_buildpack_folder(const std::string& name) {
    return !name.empty() && fs::exists(fs::path(name) / "buildpack.toml");
}

// What is packed: --config, --path, or a folder in place of the name.
packages::PackageToml read_package(Options& options, fs::path& folder) {
    if (!options.config.empty()) {
        folder = fs::absolute(options.config).parent_path();
        return packages::read_package_toml(options.config);
    }
    if (options.path.empty() && is_buildpack_folder(options.name))
        options.path = std::exchange(options.name, "");
    if (options.path.empty())
        throw Error(ErrorKind::invalid_input, "there is nothing to package",
                    "Give --config package.toml or the buildpack's folder.");
    folder = fs::absolute(options.path);
    // A package.toml in the folder is meant when it is named.
    return {.buildpack = {.uri = fs::canonical(folder).string(), .where = options.path}};
}

struct Goal {
    std::string file, image; // one of them
};

Goal choose_goal(const Options& options) {
    if (!options.format.empty() && options.format != "image" && options.format != "file")
        throw Error(ErrorKind::invalid_input, "--format wants image or file");
    if (!options.output.empty() && !options.publish.empty())
        throw Error(ErrorKind::invalid_input, "--publish and --output exclude each other");
    Goal goal;
    const bool as_file = options.format == "file" || is_cnb_file(options.name);
    if (!options.output.empty())
        goal.file = options.output;
    else if (!options.publish.empty())
        goal.image = options.publish;
    else
        (as_file ? goal.file : goal.image) = options.name;
    if (goal.file.empty() && goal.image.empty())
        throw Error(ErrorKind::invalid_input, "the package has no place to go to",
                    "Give --output FILE.cnb or --publish HOST/NAME:TAG.");
    return goal;
}

void print_made(const Context& context, const Goal& goal, const buildpacks::OrderElement& main,
                const std::string& digest, const std::string& reference) {
    if (!context.json)
        return print_line("-----> " + main.full_name() + " is in " +
                          (goal.file.empty() ? reference : goal.file + ", " + digest));
    Value made{{"id", main.id}, {"version", main.version}, {"digest", digest}};
    made[goal.file.empty() ? "image" : "file"] = goal.file.empty() ? reference : goal.file;
    print_json(made);
}

void package(const Context& context, Options options) {
    fs::path folder;
    const auto toml = read_package(options, folder);
    const auto goal = choose_goal(options);
    const auto server = ask_registry(context);
    const base::TempDir scratch("slipway-package-");
    say(context, "-----> Packaging " + base::printable(toml.buildpack.uri));
    std::vector<packages::Source> sources{toml.buildpack};
    sources.insert(sources.end(), toml.dependencies.begin(), toml.dependencies.end());
    const auto gathered = gather(context, sources, folder, scratch.path(), server);
    const auto written = packages::write_buildpackage(
        packages::contents_of(gathered.catalog), gathered.main,
        packages::choose_architecture(toml.targets, image::this_architecture()), scratch.path());
    std::string reference;
    if (!goal.file.empty())
        packages::write_cnb_file(written, goal.file, scratch.path(), context.interrupted);
    else
        reference = publish(context, written, {}, goal.image, server);
    print_made(context, goal, gathered.main, written.image.digest().render(), reference);
}

Value describe(const Context& context, const std::string& name, const fs::path& scratch) {
    if (fs::is_directory(name)) {
        buildpacks::Catalog catalog;
        const auto main = packages::add_folder(name, catalog);
        return packages::describe_contents(packages::contents_of(catalog), main);
    }
    if (is_cnb_file(name) || fs::is_regular_file(name)) {
        const auto file =
            packages::read_cnb_file(name, scratch, image::this_architecture(), context.interrupted);
        auto described = packages::describe_buildpackage(file.image);
        described["digest"] = file.digest.render();
        return described;
    }
    if (name.starts_with('/') || name.starts_with('.'))
        throw Error(ErrorKind::not_found, "there is no file " + base::quoted(name));
    const auto found = read_registry_image(context, name, ask_registry(context));
    auto described = packages::describe_buildpackage(found.image);
    described["digest"] = found.digest.render();
    described["reference"] = found.reference;
    return described;
}

void inspect(const Context& context, const std::string& name) {
    const base::TempDir scratch("slipway-inspect-");
    const auto described = describe(context, name, scratch.path());
    if (context.json) return print_json(described);
    std::string stacks;
    for (const auto& stack : described.at("stacks"))
        if (stack.is_object()) stacks += (stacks.empty() ? "" : ", ") + text_of(stack, "id");
    print_fields({{"Buildpack", text_of(described, "id") + "@" + text_of(described, "version")},
                  {"Name", text_of(described, "name")},
                  {"Description", text_of(described, "description")},
                  {"Homepage", text_of(described, "homepage")},
                  {"Stacks", stacks},
                  {"Digest", text_of(described, "digest")}});
    print_buildpacks(described);
    print_order(described);
}

} // namespace

void add_buildpack(CLI::App& root, Context& context) {
    auto* buildpack = root.add_subcommand("buildpack", "buildpacks as images and .cnb files");
    buildpack->require_subcommand(1);
    const auto options = std::make_shared<Options>();
    auto* packaged = buildpack->add_subcommand("package", "make a buildpackage");
    packaged->add_option("name", options->name,
                         "an image, a .cnb file, or the folder that is packaged");
    packaged->add_option("--config,-c", options->config, "package.toml");
    packaged->add_option("--path,-p", options->path, "the buildpack's folder");
    packaged->add_option("--format,-f", options->format, "image or file");
    packaged->add_option("--publish", options->publish, "push to this reference (default: NAME)")
        ->expected(0, 1);
    packaged->add_option("--output,-o", options->output, "write this .cnb file");
    packaged->callback([&context, options] { package(context, *options); });
    const auto name = std::make_shared<std::string>();
    auto* inspected = buildpack->add_subcommand("inspect", "what a buildpackage holds");
    inspected->add_option("name", *name, "an image, a .cnb file or a folder")->required();
    inspected->callback([&context, name] { inspect(context, *name); });
}

} // namespace cli
