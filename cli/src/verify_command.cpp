// `slipway verify` and `slipway key`: who built an image, from what, who says so, and whether the
// same inputs give it again.
#include "api_client.h"
#include "cli/exit_code.h"
#include "context.h"
#include "image_comparison.h"
#include "image_reference.h"
#include "rebuild.h"

#include "base/error.h"
#include "base/fd.h"
#include "base/text.h"
#include "proof/statement.h"
#include "proof/verify.h"

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <cstdio>
#include <memory>
#include <optional>

namespace cli {
namespace {

using base::Error;
using base::ErrorKind;
using base::json::Value;

constexpr std::size_t shown_of_id = 16;

std::vector<base::PublicKey> keys_of_server(const Context& context) {
    std::vector<base::PublicKey> keys;
    for (const auto& key : context.api().list(api_path({"signing-keys"}), "signing_keys"))
        keys.push_back(base::PublicKey::parse(base::json::get_string(key, "public_key")));
    return keys;
}

std::vector<base::PublicKey> choose_keys(const Context& context, const std::string& file) {
    if (!file.empty()) return base::PublicKey::parse_all(base::read_file(file, 1u << 20));
    std::vector<base::PublicKey> keys;
    try {
        keys = keys_of_server(context);
    } catch (const Error& error) {
        throw Error(ErrorKind::invalid_input,
                    "there is no key to check the signature with: " + error.message(),
                    "Give the public key of the server that built the image: --key FILE.");
    }
    if (keys.empty())
        throw Error(ErrorKind::not_found, "the server has no signing key",
                    "Give the public key of the server that built the image: --key FILE.");
    return keys;
}

std::string digest_of(const proof::Resource& resource) {
    std::string text;
    for (const auto& [algorithm, hex] : resource.digest)
        text += (text.empty() ? "" : " ") + algorithm + ":" + hex;
    return text;
}

std::string name_of(std::string_view predicate_type) {
    if (predicate_type == proof::predicate_type::provenance) return "provenance (SLSA 1)";
    if (predicate_type == proof::predicate_type::cyclonedx) return "bill of materials (CycloneDX)";
    if (predicate_type == proof::predicate_type::spdx) return "bill of materials (SPDX)";
    return std::string(predicate_type);
}

using Fields = std::vector<std::pair<std::string, std::string>>;

void add_provenance(const proof::Provenance& from, Fields& fields) {
    fields.emplace_back("App", from.app);
    fields.emplace_back("Source", from.source.uri.empty() ? from.source.kind : from.source.uri);
    if (!from.source.ref.empty()) fields.emplace_back("Ref", from.source.ref);
    for (const auto& dependency : from.dependencies) {
        const auto digest = digest_of(dependency);
        if (dependency.role == "source") fields.emplace_back("Source is", digest);
        if (dependency.role == "build-image") fields.emplace_back("Build image", dependency.uri);
        if (dependency.role == "run-image") fields.emplace_back("Run image", dependency.uri);
        if (dependency.role == "buildpack")
            fields.emplace_back("Buildpack",
                                dependency.name + (digest.empty() ? "" : "  " + digest));
    }
    if (!from.environment.empty()) fields.emplace_back("Variables", join(from.environment, ", "));
    fields.emplace_back("Build", from.build);
    fields.emplace_back("Built", proof::render_time(from.started) + " to " +
                                     proof::render_time(from.finished));
    fields.emplace_back("By", from.builder + " (Slipway " + from.builder_version + ")");
}

struct VerifyOptions {
    std::string reference, key;
    bool rebuild = false;
    RebuildOptions how;
};

// What came out of a rebuild that built.
struct Judgement {
    std::vector<InputDifference> inputs;
    ImageComparison image;
    std::string digest;
};

Value to_json(const std::vector<SettingChange>& changes) {
    auto list = Value::array();
    for (const auto& change : changes)
        list.push_back(
            {{"name", change.name}, {"recorded", change.before}, {"rebuilt", change.after}});
    return list;
}

Value to_json(const Judgement& judgement) {
    auto inputs = Value::array();
    for (const auto& input : judgement.inputs)
        inputs.push_back({{"name", input.name}, {"recorded", input.recorded}, {"now", input.now}});
    const auto& image = judgement.image;
    Value first = nullptr;
    if (!image.files.empty())
        first = {{"layer", image.first_layer},
                 {"path", "/" + image.files.front().path},
                 {"what", image.files.front().what},
                 {"recorded", image.files.front().before},
                 {"rebuilt", image.files.front().after}};
    return {{"reproduced", image.same_digest},
            {"same_content", image.same_digest || image.same_content()},
            {"digest", judgement.digest},
            {"inputs", inputs},
            {"layers", image.layers},
            {"first_difference", first},
            {"files_in_that_layer", image.files.size()},
            {"settings", to_json(image.settings)},
            {"compressors", to_json(image.compressors)}};
}

std::string or_nothing(const std::string& text) {
    return text.empty() ? "nothing" : base::printable(text);
}

std::string first_difference(const ImageComparison& image) {
    const auto& file = image.files.front();
    return base::printable("/" + file.path + " (" + image.first_layer + "): " + file.what + ", " +
                           (file.before.empty() ? "nothing" : file.before) + " in the image, " +
                           (file.after.empty() ? "nothing" : file.after) + " in the rebuild");
}

void print(const Judgement& judgement, const FoundImage& recorded) {
    const auto& image = judgement.image;
    for (const auto& input : judgement.inputs)
        print_line("Not the same input: " + base::printable(input.name) + " was " +
                   or_nothing(input.recorded) + ", is " + or_nothing(input.now));
    if (image.same_digest)
        return print_line("Reproduced: the recorded inputs give " + judgement.digest + " again");
    if (image.same_content())
        print_line("Reproduced in content, not in its digest: the same files and settings, stored "
                   "otherwise");
    else
        print_line("Not reproduced: the recorded inputs give " + judgement.digest + ", not " +
                   recorded.manifest.digest.render());
    if (!image.files.empty()) {
        print_line("First difference: " + first_difference(image));
        if (image.files.size() > 1)
            print_line(std::to_string(image.files.size() - 1) +
                       " more in the same layer differ; --json counts them");
    }
    if (!image.layers.empty())
        print_line("Layers that differ: " + base::printable(join(image.layers, ", ")));
    for (const auto* changes : {&image.settings, &image.compressors})
        for (const auto& change : *changes)
            print_line("Setting " + base::printable(change.name) + ": " +
                       or_nothing(change.before) + " in the image, " + or_nothing(change.after) +
                       " in the rebuild");
}

// Empty when it could not be built; why has been said, and the exit code is its own.
std::optional<Judgement> build_again(Context& context, const FoundImage& found,
                                     const proof::Provenance& provenance,
                                     const RebuildOptions& how) {
    const auto say = [&](const std::string& line) {
        if (!context.json) return print_line(line);
        std::fprintf(stderr, "%s\n", line.c_str());
    };
    say("-----> Building again from the recorded inputs");
    const auto rebuilt = rebuild(provenance, how, context, say);
    if (const auto* refused = std::get_if<builder::Refused>(&rebuilt.outcome)) {
        if (!rebuilt.without_value.empty())
            say("       No value was known for " +
                base::printable(join(rebuilt.without_value, ", ")) +
                ": --env NAME=VALUE gives one");
        print_error({refused->kind, refused->reason, refused->hint}, context.json);
        context.exit_code = exit_code::build_refused;
        return {};
    }
    if (const auto* broken = std::get_if<builder::Broken>(&rebuilt.outcome))
        throw Error(broken->kind, broken->reason, broken->hint);
    if (!std::holds_alternative<builder::Published>(rebuilt.outcome))
        throw Error(ErrorKind::cancelled, "the rebuild was cancelled");
    return Judgement{compare_inputs(provenance, rebuilt.materials, context.version),
                     compare_images(found, rebuilt.image, context.interrupted),
                     rebuilt.image.manifest.digest.render()};
}

Value to_json(const FoundImage& found, const proof::Evidence& evidence) {
    auto types = Value::array();
    for (const auto& [type, json] : evidence.predicates) types.push_back(type);
    return {{"verified", true},
            {"reference", found.name},
            {"digest", found.manifest.digest.render()},
            {"key", evidence.key_id},
            {"signed_for", evidence.signed_for},
            // Of a layout, which has no repository, nobody can say.
            {"signed_for_this_repository",
             found.repository.empty() ? Value(nullptr)
                                      : Value(is_repository_of(found, evidence.signed_for))},
            {"attestations", types},
            {"provenance", Value::parse(proof::render(evidence.provenance))}};
}

void print(const FoundImage& found, const proof::Evidence& evidence) {
    Fields fields{{"Signed by", "key " + evidence.key_id.substr(0, shown_of_id)}};
    if (!evidence.signed_for.empty())
        fields.emplace_back("Signed for", join(evidence.signed_for, ", "));
    add_provenance(evidence.provenance, fields);
    std::vector<std::string> types;
    for (const auto& [type, json] : evidence.predicates) types.push_back(name_of(type));
    fields.emplace_back("Attested", join(types, ", "));
    for (auto& [name, value] : fields) value = base::printable(value);
    print_line("Verified: " + found.name);
    print_fields(fields);
    if (!found.repository.empty() && !is_repository_of(found, evidence.signed_for))
        std::fprintf(stderr,
                     "warning: it was signed for another repository and copied to %s: ask those "
                     "who copied it whether it belongs there\n",
                     base::printable(found.registry + "/" + found.repository).c_str());
}

int exit_code_of(proof::Doubt doubt) noexcept {
    switch (doubt) {
    case proof::Doubt::absent:
        return exit_code::not_found;
    case proof::Doubt::unknown_key:
        return exit_code::denied;
    case proof::Doubt::other_image:
        return exit_code::other_image;
    case proof::Doubt::changed:
        break;
    }
    return exit_code::changed;
}

// Also of an image that was verified with --key.
bool is_key_of_server(const Context& context, const std::string& id) {
    try {
        const auto keys = keys_of_server(context);
        return std::any_of(keys.begin(), keys.end(),
                           [&](const base::PublicKey& key) { return key.id() == id; });
    } catch (const Error&) { // no server
        return false;
    }
}

void verify_or_doubt(Context& context, const VerifyOptions& options) {
    const auto keys = choose_keys(context, options.key);
    const auto found = find_image(context, options.reference);
    const auto evidence =
        proof::verify(*found.store, found.manifest.digest, keys, context.interrupted);
    auto json = to_json(found, evidence);
    if (!context.json) print(found, evidence);
    if (options.rebuild) {
        auto how = options.how;
        how.by_this_server = is_key_of_server(context, evidence.key_id);
        const auto judgement = build_again(context, found, evidence.provenance, how);
        if (!judgement) return;
        if (!judgement->image.same_digest) context.exit_code = exit_code::not_reproduced;
        json["rebuild"] = to_json(*judgement);
        if (!context.json) print(*judgement, found);
    }
    if (context.json) print_json(json);
}

void verify(Context& context, const VerifyOptions& options) {
    try {
        verify_or_doubt(context, options);
    } catch (const proof::Distrust& distrust) {
        print_error(distrust, context.json);
        context.exit_code = exit_code_of(distrust.doubt);
    }
}

void show_keys(const Context& context, bool all) {
    const auto keys = keys_of_server(context);
    if (context.json) {
        auto list = Value::array();
        for (const auto& key : keys) list.push_back({{"id", key.id()}, {"public_key", key.pem()}});
        return print_json({{"signing_keys", list}});
    }
    for (const auto& key : keys) {
        print_line(base::trim(key.pem()));
        if (!all) return;
    }
}

} // namespace

void add_verify(CLI::App& root, Context& context) {
    const auto options = std::make_shared<VerifyOptions>();
    auto* command = root.add_subcommand(
        "verify", "check who built an image, from what, and that nothing was changed since");
    command->add_option("image", options->reference, reference_help)->required();
    command
        ->add_option("--key", options->key,
                     "file of the public keys to trust, PEM (default: the server's own)")
        ->check(CLI::ExistingFile);
    command->add_flag("--rebuild", options->rebuild,
                      "build it again from the recorded inputs and compare");
    auto& how = options->how;
    const std::vector<CLI::Option*> of_rebuild{
        command->add_option("--source", how.source,
                            "clone, archive or directory of the source (default: where it was)"),
        command
            ->add_option("--env", how.environment,
                         "NAME=VALUE for buildpacks (default: the app's values of today)")
            ->allow_extra_args(false),
        command->add_option("--build-image", how.build_image, "where the build image is now"),
        command->add_option("--run-image", how.run_image, "where the run image is now"),
        command->add_option("--buildpacks", how.buildpacks, "directory with an order.toml")
            ->allow_extra_args(false)};
    for (auto* option : of_rebuild) option->needs("--rebuild");
    command->callback([=, &context] { verify(context, *options); });

    const auto all = std::make_shared<bool>(false);
    auto* keys = root.add_subcommand("key", "show the public key that the server signs with");
    keys->add_flag("--all", *all, "with those that it signed with before");
    keys->callback([=, &context] { show_keys(context, *all); });
}

} // namespace cli
