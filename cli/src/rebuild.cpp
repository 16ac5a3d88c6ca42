#include "rebuild.h"

#include "api_client.h"
#include "local_job.h"
#include "rebuild_source.h"
#include "terminal.h"

#include "builder/worker.h"
#include "image/oci_layout.h"
#include "image/reference.h"

#include "base/error.h"
#include "base/temp_dir.h"
#include "base/text.h"

#include <algorithm>
#include <nlohmann/json.hpp>

namespace cli {
namespace {

namespace fs = std::filesystem;
using base::Error;
using base::ErrorKind;
using Say = std::function<void(const std::string&)>;
using Variables = std::map<std::string, std::string>;

constexpr std::string_view docker_scheme = "docker://";
constexpr const char* layout_tag = "rebuilt";

std::string digest_of(const proof::Resource& resource) {
    std::string text;
    for (const auto& [algorithm, hex] : resource.digest)
        text += (text.empty() ? "" : " ") + algorithm + ":" + hex;
    return text.empty() ? "unknown" : text;
}

std::string image_of(const proof::Provenance& provenance, const char* role) {
    const auto* resource = proof::find_resource(provenance.dependencies, role);
    if (!resource || resource->uri.empty())
        throw Error(ErrorKind::invalid_input,
                    std::string("the provenance names no ") + role + " of this image",
                    "It cannot be built again.");
    return resource->uri;
}

// "host/name" of "docker://host/name:tag" and "host/name@sha256:..."; empty: no image's name.
std::string repository_of(std::string text) {
    if (text.starts_with(docker_scheme)) text.erase(0, docker_scheme.size());
    if (text.find("://") != text.npos) return {};
    try {
        const auto reference = image::Reference::parse(text);
        return reference.registry + "/" + reference.repository;
    } catch (const Error&) {
        return {};
    }
}

// A value, and where it is from.
struct KnownValue {
    std::string value;
    const char* from;
};
using KnownValues = std::map<std::string, KnownValue>;

// What the app has today. No server, or no right to it: nothing.
void add_values_of_app(KnownValues& known, const std::string& app, const Context& context) {
    try {
        for (const auto& variable : context.api().list(api_path({"apps", app, "variables"}),
                                                       "variables", {{"values", ""}}))
            if (const auto value = base::json::find_string(variable, "value"))
                known.insert({text_of(variable, "name"), {*value, "the app's value of today"}});
    } catch (const Error&) {
    }
}

// Of these names alone: what was set since then did not go into the image.
Variables choose_variables(const std::vector<std::string>& names, const KnownValues& known,
                           std::vector<std::string>& without_value, const Say& say) {
    Variables chosen;
    for (const auto& name : names) {
        const auto found = known.find(name);
        say("       Variable " + base::printable(name) + ": " +
            (found == known.end() ? "no value is known here" : found->second.from));
        if (found == known.end())
            without_value.push_back(name);
        else
            chosen[name] = found->second.value;
    }
    return chosen;
}

std::string setting(const proof::Provenance& provenance, const char* name,
                    const std::string& otherwise) {
    const auto found = provenance.settings.find(name);
    return found == provenance.settings.end() ? otherwise : found->second;
}

void apply_settings(const proof::Provenance& provenance, builder::Job& job) {
    const bool before = job.slug_ignore == builder::SlugIgnore::before;
    job.slug_ignore = setting(provenance, "slugignore", before ? "before" : "after") == "before"
                          ? builder::SlugIgnore::before
                          : builder::SlugIgnore::after;
    if (const auto told = setting(provenance, "classic_variables", ""); !told.empty())
        job.variables_in_environment = told == "environment";
    job.stack.classic_name = setting(provenance, "classic_stack", job.stack.classic_name);
    job.network = setting(provenance, "network", job.network);
    job.compression = image::parse_compression(setting(provenance, "compression", "gzip"))
                          .value_or(image::Compression::gzip);
}

// A stranger's provenance says which code is run: none that it finds on this machine.
void refuse_places_of_this_machine(const std::vector<std::string>& buildpacks) {
    for (const auto& uri : buildpacks)
        if (uri.starts_with('/') || uri.starts_with('.') || uri.starts_with("file://") ||
            (uri.find("://") == uri.npos && fs::exists(uri)))
            throw Error(ErrorKind::denied,
                        "the provenance names the buildpack " + base::quoted(uri) +
                            ", a place on this machine, and another server signed it",
                        "Give the buildpacks yourself: --buildpacks DIR.");
}

builder::Job make_job(const proof::Provenance& provenance, const RebuildOptions& options,
                      const Context& context, std::vector<std::string>& without_value,
                      const Say& say) {
    KnownValues given;
    for (const auto& text : options.environment) {
        const auto variable = read_assignment(text);
        given[variable.name] = {std::string(variable.value.reveal()), "as given with --env"};
    }
    LocalOptions local;
    local.build_image =
        options.build_image.empty() ? image_of(provenance, "build-image") : options.build_image;
    local.run_image =
        options.run_image.empty() ? image_of(provenance, "run-image") : options.run_image;
    local.given = pinned_buildpacks(provenance);
    if (!options.by_this_server) refuse_places_of_this_machine(local.given);
    local.buildpacks = options.buildpacks;
    auto job = make_local_job(local, context);
    job.id = provenance.build; // buildpacks are told it
    job.app = provenance.app;
    job.stack.name = provenance.stack;
    job.revision = provenance.source.revision;
    job.no_cache = true;
    apply_settings(provenance, job);
    KnownValues known = std::move(given); // what is there already stays
    if (options.by_this_server) {
        add_values_of_app(known, provenance.app, context);
        for (const auto& [name, value] : job.environment)
            known.insert({name, {value, "the server's setting of today"}});
    }
    job.environment = choose_variables(provenance.environment, known, without_value, say);
    job.target = builder::LayoutTarget{job.work_directory / "layout", layout_tag};
    return job;
}

// The digests of one role, by name without its version.
std::map<std::string, std::string> pinned(const std::vector<proof::Resource>& resources) {
    std::map<std::string, std::string> all;
    for (const auto& resource : resources)
        all[resource.role == "buildpack" ? "buildpack " + resource.name : resource.role] =
            digest_of(resource);
    return all;
}

} // namespace

Rebuilt::~Rebuilt() {
    std::error_code ignored; // as an ordinary user the worker alone can remove it, and has
    if (!work_directory.empty()) fs::remove_all(work_directory, ignored);
}

std::vector<std::string> pinned_buildpacks(const proof::Provenance& provenance) {
    std::vector<std::string> pinned;
    for (auto uri : provenance.buildpacks) {
        for (const auto& known : provenance.dependencies) {
            if (known.role != "buildpack") continue;
            const auto commit = known.digest.find("gitCommit");
            if (commit != known.digest.end() && known.uri == uri) {
                uri += "#" + commit->second;
                break;
            }
            const auto repository = repository_of(uri);
            if (!repository.empty() && known.uri.find("@sha256:") != known.uri.npos &&
                repository == repository_of(known.uri)) {
                uri = std::string(docker_scheme) + known.uri;
                break;
            }
        }
        pinned.push_back(std::move(uri));
    }
    return pinned;
}

std::vector<InputDifference> compare_inputs(const proof::Provenance& recorded,
                                            const builder::Materials& now,
                                            const std::string& version) {
    std::vector<InputDifference> differences;
    if (recorded.builder_version != version)
        differences.push_back({"Slipway", recorded.builder_version, version});
    const auto then = pinned(recorded.dependencies), here = pinned(now.dependencies);
    for (const auto& [name, digest] : then) {
        const auto found = here.find(name);
        if (found == here.end() || found->second != digest)
            differences.push_back({name, digest, found == here.end() ? "" : found->second});
    }
    for (const auto& [name, digest] : here)
        if (!then.contains(name)) differences.push_back({name, "", digest});
    const std::set<std::string> names(now.environment.begin(), now.environment.end());
    const std::set<std::string> known(recorded.environment.begin(), recorded.environment.end());
    for (const auto& name : known)
        if (!names.contains(name)) differences.push_back({"variable " + name, "set", ""});
    for (const auto& name : names)
        if (!known.contains(name)) differences.push_back({"variable " + name, "", "set"});
    return differences;
}

Rebuilt rebuild(const proof::Provenance& provenance, const RebuildOptions& options,
                const Context& context, const std::function<void(const std::string&)>& say) {
    Rebuilt rebuilt;
    const base::TempDir scratch("slipway-rebuild-");
    auto source = bring_source(provenance, options.source, scratch.path(), context);
    auto job = make_job(provenance, options, context, rebuilt.without_value, say);
    rebuilt.work_directory = job.work_directory;
    job.source = std::move(source);
    rebuilt.outcome = builder::run_worker(
        {program_directory() / "slipway-worker"}, job,
        [&](const builder::Event& event) {
            if (const auto* line = std::get_if<builder::LogLine>(&event))
                say(base::printable(line->text, base::Colour::keep));
            const auto* record = std::get_if<builder::Record>(&event);
            if (record && record->name == builder::materials_record)
                rebuilt.materials = builder::parse_materials(record->json);
        },
        context.interrupted.within(job.limits.time + std::chrono::minutes(1)));
    const auto* published = std::get_if<builder::Published>(&rebuilt.outcome);
    if (!published) return rebuilt;
    rebuilt.image.name = "the rebuild";
    rebuilt.image.store = image::open_oci_layout(job.work_directory / "layout");
    auto manifest = rebuilt.image.store->read_manifest(published->digest, context.interrupted);
    if (!manifest) throw Error(ErrorKind::internal, "the finished image is not there");
    rebuilt.image.manifest = std::move(*manifest);
    return rebuilt;
}

} // namespace cli
