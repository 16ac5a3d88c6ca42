// `slipway verify` and `slipway key`: who built an image, from what, and who says so.
#include "api_client.h"
#include "context.h"
#include "image_reference.h"

#include "base/error.h"
#include "base/fd.h"
#include "base/text.h"
#include "proof/statement.h"
#include "proof/verify.h"

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include <memory>

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

void print_provenance(const proof::Provenance& from) {
    std::vector<std::pair<std::string, std::string>> fields{
        {"App", from.app},
        {"Source", from.source.uri.empty() ? from.source.kind : from.source.uri}};
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
    for (auto& [name, value] : fields) value = base::printable(value);
    print_fields(fields);
}

void verify(const Context& context, const std::string& reference, const std::string& key_file) {
    const auto keys = choose_keys(context, key_file);
    const auto found = find_image(context, reference);
    const auto evidence =
        proof::verify(*found.store, found.manifest.digest, keys, context.interrupted);
    if (context.json) {
        auto types = Value::array();
        for (const auto& [type, json] : evidence.predicates) types.push_back(type);
        return print_json({{"verified", true},
                           {"reference", found.name},
                           {"digest", found.manifest.digest.render()},
                           {"key", evidence.key_id},
                           {"attestations", types},
                           {"provenance", Value::parse(proof::render(evidence.provenance))}});
    }
    print_line("Verified: " + found.name);
    print_fields({{"Signed by", "key " + evidence.key_id.substr(0, shown_of_id)}});
    print_provenance(evidence.provenance);
    for (const auto& [type, json] : evidence.predicates)
        print_fields({{"Signed too", base::printable(name_of(type))}});
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
    struct Options {
        std::string reference, key;
    };
    const auto options = std::make_shared<Options>();
    auto* command = root.add_subcommand(
        "verify", "check who built an image, from what, and that nothing was changed since");
    command->add_option("image", options->reference, reference_help)->required();
    command
        ->add_option("--key", options->key,
                     "file of the public keys to trust, PEM (default: the server's own)")
        ->check(CLI::ExistingFile);
    command->callback([=, &context] { verify(context, options->reference, options->key); });

    const auto all = std::make_shared<bool>(false);
    auto* keys = root.add_subcommand("key", "show the public key that the server signs with");
    keys->add_flag("--all", *all, "with those that it signed with before");
    keys->callback([=, &context] { show_keys(context, *all); });
}

} // namespace cli
