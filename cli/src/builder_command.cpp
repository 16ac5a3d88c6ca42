// `slipway builder`: builder images made, looked at and used. For the server a builder is a stack
// whose build image brings buildpacks.
#include "api_client.h"
#include "gather.h"
#include "images.h"
#include "order_tree.h"
#include "site.h"

#include "image/image.h"
#include "packages/inspect.h"
#include "sources/fetcher.h"

#include "base/temp_dir.h"
#include "base/text.h"

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <memory>

namespace cli {
namespace {

namespace fs = std::filesystem;
using base::Error;
using base::ErrorKind;
using base::json::Value;

constexpr std::size_t longest_stack_name = 64; // the server's

void create(const Context& context, const std::string& name, const std::string& config) {
    const auto toml = packages::read_builder_toml(config);
    const auto target = image::Reference::parse(name);
    const auto server = ask_registry(context);
    const base::TempDir scratch("slipway-builder-");
    for (const auto& note : toml.notes) say(context, "       " + note);
    say(context, "-----> Fetching the build image " + base::printable(toml.build_image));
    const auto base_image = read_registry_image(
        context, toml.build_image, server,
        packages::choose_architecture(toml.targets, image::this_architecture()));
    say(context, "-----> Fetching buildpacks");
    const auto gathered = gather(context, toml.buildpacks, fs::absolute(config).parent_path(),
                                 scratch.path(), server);
    const auto written = packages::write_builder(toml, packages::contents_of(gathered.catalog),
                                                 base_image.image, context.version, scratch.path());
    say(context, "-----> Pushing " + target.render());
    const auto base = image::Reference::parse(base_image.reference);
    const auto base_store = registry::open_repository(base.registry, base.repository,
                                                      registry_settings(server, base.registry));
    const auto reference = publish(
        context, written,
        {base_store.get(), base.registry == target.registry ? base.repository : ""}, name, server);
    if (context.json)
        return print_json({{"image", reference}, {"digest", written.image.digest().render()}});
    print_line("       " + reference);
    print_line("-----> Build with it: slipway builder use " + target.render());
}

std::string run_images_text(const Value& described) {
    std::string text;
    for (const auto& entry : described.at("run_images"))
        if (entry.is_object()) text += (text.empty() ? "" : ", ") + text_of(entry, "image");
    return text;
}

void inspect(const Context& context, const std::string& name) {
    const auto found = read_registry_image(context, name, ask_registry(context));
    auto described = packages::describe_builder(found.image);
    described["reference"] = found.reference;
    described["digest"] = found.digest.render();
    if (context.json) return print_json(described);
    const auto& creator = described.at("created_by");
    print_fields(
        {{"Builder", base::printable(name)},
         {"Description", text_of(described, "description")},
         {"Digest", text_of(described, "digest")},
         {"Stack", text_of(described, "stack")},
         {"Run images", run_images_text(described)},
         {"Lifecycle", text_of(described.at("lifecycle"), "version")},
         {"Made by", base::trim(text_of(creator, "name") + " " + text_of(creator, "version"))}});
    print_buildpacks(described);
    print_order(described);
}

// platform.md: a mirror in the registry that images go to is nearer than what stands first.
std::string choose_run_image(const Context& context, const image::Image& builder,
                             const Value& server) {
    auto names = packages::run_images_of(builder);
    if (names.empty())
        throw Error(ErrorKind::not_found, "the builder names no run image",
                    "Name the image that apps run on: --run IMAGE");
    const auto ours = text_of(server, "registry");
    std::stable_partition(names.begin(), names.end(), [&](const std::string& name) {
        return image::Reference::parse(name).registry == ours;
    });
    std::string reasons;
    for (const auto& name : names) {
        try {
            const auto registry = image::Reference::parse(name).registry;
            return pin(name, registry_settings(server, registry), context.interrupted);
        } catch (const Error& error) {
            if (error.kind() == ErrorKind::cancelled) throw;
            reasons += "\n" + error.message();
        }
    }
    throw Error(ErrorKind::not_found, "none of the builder's run images can be read:" + reasons,
                "Name another one: --run IMAGE");
}

// "heroku/builder:24", as people know it.
std::string stack_name(const std::string& image) {
    const auto reference = image::Reference::parse(image);
    auto name = reference.repository;
    if (reference.tag) name += ":" + *reference.tag;
    return name.size() > longest_stack_name ? name.substr(name.size() - longest_stack_name) : name;
}

void set_stack(const Context& context, const std::string& app, const std::string& stack) {
    // An empty name takes the app's own stack away.
    context.api().patch(api_path({"apps", app}), {{"app", {{"stack", stack}}}});
}

struct Use {
    std::string image, run, app, name;
    bool go_back = false;
};

void use_default(const Context& context, const Use& use) {
    if (use.app.empty() || !use.image.empty())
        throw Error(ErrorKind::invalid_input, "--default wants --app APP and no image",
                    "For the server's own stack: slipway stack list, slipway stack use.");
    set_stack(context, use.app, "");
    if (context.json) return print_json({{"app", use.app}, {"stack", nullptr}});
    print_line("-----> Builds of " + use.app + " use the server's stack again");
}

void use_builder(const Context& context, const Use& use) {
    if (use.go_back) return use_default(context, use);
    if (use.image.empty())
        throw Error(ErrorKind::invalid_input, "there is no builder to use",
                    "Name its image: slipway builder use HOST/NAME:TAG");
    const auto server = server_info(context);
    const auto found = read_registry_image(context, use.image, server);
    if (!sources::is_builder(found.image))
        throw Error(ErrorKind::invalid_input,
                    base::quoted(use.image) + " is no builder: it has no order of buildpacks",
                    "An image without buildpacks is a stack's: slipway stack use.");
    const auto run =
        use.run.empty()
            ? choose_run_image(context, found.image, server)
            : pin(use.run, registry_settings(server, image::Reference::parse(use.run).registry),
                  context.interrupted);
    const auto name = use.name.empty() ? stack_name(use.image) : use.name;
    auto stack = use_stack(context, name, found.reference, run,
                           use.app.empty() ? Current::yes : Current::no);
    if (!use.app.empty()) set_stack(context, use.app, name);
    if (context.json) {
        if (!use.app.empty()) stack["app"] = use.app;
        return print_json(stack);
    }
    print_fields({{"Builder", found.reference}, {"Run", run}, {"Stack", name}});
    print_line("-----> " + (use.app.empty() ? std::string("Builds") : "Builds of " + use.app) +
               " use it from now on");
}

} // namespace

void add_builder(CLI::App& root, Context& context) {
    auto* builder = root.add_subcommand("builder", "images that bring buildpacks and an order");
    builder->require_subcommand(1);
    const auto name = std::make_shared<std::string>(), config = std::make_shared<std::string>();
    const auto publish = std::make_shared<bool>();
    auto* created = builder->add_subcommand("create", "make a builder and push it");
    created->add_option("name", *name, "host/name:tag")->required();
    created->add_option("--config,-c", *config, "builder.toml")->required();
    // pack's scripts say it; there is no daemon here to leave it out for.
    created->add_flag("--publish", *publish, "push to the registry: it always does");
    created->callback([&context, name, config, publish] { create(context, *name, *config); });
    auto* inspected = builder->add_subcommand("inspect", "what a builder holds");
    inspected->add_option("name", *name, "its image")->required();
    inspected->callback([&context, name] { inspect(context, *name); });
    const auto use = std::make_shared<Use>();
    auto* used = builder->add_subcommand("use", "build with a builder");
    used->add_option("image", use->image, "its image");
    used->add_option("--run", use->run, "another run image than the builder's");
    used->add_option("--app", use->app, "for this app alone");
    used->add_option("--name", use->name, "what the stack is called; default: the image's name");
    used->add_flag("--default", use->go_back, "the server's stack again, with --app");
    used->callback([&context, use] { use_builder(context, *use); });
}

} // namespace cli
