#include "api_client.h"
#include "context.h"
#include "gather.h"
#include "image_reference.h"
#include "images.h"
#include "site.h"
#include "stack_create.h"

#include "image/reference.h"

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include <memory>

namespace cli {
namespace {

using base::json::Value;

void print_stack(const Value& stack) {
    print_fields({{"Stack", text_of(stack, "name")},
                  {"Build", text_of(stack, "build")},
                  {"Run", text_of(stack, "run")},
                  {"Current", base::json::find_bool(stack, "current", false) ? "yes" : "no"}});
}

// An image of a layout goes where those of `stack create` do: builds pull from registries.
std::string bring(const Context& context, const Value& info, const std::string& repository,
                  const std::string& layout) {
    const auto from = find_image(context, layout, OfIndex::whole);
    const auto to = open_destination(
        context, base::json::get_string(info, "registry") + "/" +
                     base::json::find_string(info, "registry_prefix").value_or("") + repository);
    copy_image(from, from.manifest, to, {.tag = to.tag}, context.interrupted);
    return to.place + "@" + from.manifest.digest.render();
}

void use(const Context& context, const std::string& name, const std::string& build,
         const std::string& run) {
    const auto info = server_info(context);
    const auto pinned = [&](const std::string& reference, const std::string& which) {
        if (kind_of_reference(reference) == ReferenceKind::layout)
            return bring(context, info, "stacks/" + name + "/" + which, reference);
        const auto registry = image::Reference::parse(reference).registry;
        return pin(reference, registry_settings(info, registry), context.interrupted);
    };
    const auto stack =
        use_stack(context, name, pinned(build, "build"), pinned(run, "run"), Current::yes);
    context.json ? print_json(stack) : print_stack(stack);
}

void create(const Context& context, const std::string& name) {
    const auto made = create_stack(context, server_info(context), name,
                                   [&](const std::string& line) { say(context, line); });
    const auto stack = use_stack(context, name, made.build, made.run, Current::yes);
    if (context.json) return print_json(stack);
    print_line("-----> Builds use " + name + " from now on");
}

void list(const Context& context) {
    const auto stacks = context.api().list(api_path({"stacks"}), "stacks");
    if (context.json) return print_json({{"stacks", stacks}});
    std::vector<Row> rows;
    for (const auto& stack : stacks)
        rows.push_back({text_of(stack, "name"),
                        base::json::find_bool(stack, "current", false) ? "yes" : "",
                        text_of(stack, "build"), text_of(stack, "run")});
    print_table({"STACK", "CURRENT", "BUILD", "RUN"}, rows);
}

void info(const Context& context, const std::string& name) {
    const auto stack = name.empty() ? current_stack(context) : find_stack(context, name);
    context.json ? print_json(stack) : print_stack(stack);
}

} // namespace

void add_stack(CLI::App& root, Context& context) {
    auto* stack = root.add_subcommand("stack", "images that builds run in and apps run on");
    stack->require_subcommand(1);
    const auto name = std::make_shared<std::string>(), build = std::make_shared<std::string>(),
               run = std::make_shared<std::string>();
    auto* created =
        stack->add_subcommand("create", "make a stack from Debian's packages and use it");
    created->add_option("name", *name, "debian-12")->required();
    created->callback([&context, name] { create(context, *name); });
    stack->add_subcommand("list", "all stacks")->callback([&context] { list(context); });
    auto* shown = stack->add_subcommand("info", "one stack");
    shown->add_option("name", *name, "its name; default: the current one");
    shown->callback([&context, name] { info(context, *name); });
    auto* used =
        stack->add_subcommand("use", "build with any two images of a registry or a layout");
    used->add_option("name", *name, "what to call it")->required();
    used->add_option("--build", *build, "reference of the build image")->required();
    used->add_option("--run", *run, "reference of the run image")->required();
    used->callback([=, &context] { use(context, *name, *build, *run); });
}

} // namespace cli
