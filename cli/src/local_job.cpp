#include "local_job.h"

#include "image_reference.h"
#include "images.h"
#include "site.h"

#include "image/reference.h"

#include "base/error.h"
#include "base/fd.h"
#include "base/text.h"

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include <cstdlib>
#include <sys/stat.h>
#include <unistd.h>

namespace cli {
namespace {

namespace fs = std::filesystem;
using base::Error;
using base::ErrorKind;
using base::json::Value;

// Root's home is closed to the ids that builds run as.
fs::path cache_root() {
    if (::geteuid() == 0) return "/var/cache/slipway";
    if (const char* cache = std::getenv("XDG_CACHE_HOME"); cache && *cache)
        return fs::path(cache) / "slipway";
    const char* home = std::getenv("HOME");
    return fs::path(home && *home ? home : "/tmp") / ".cache" / "slipway";
}

void make_passable(const fs::path& directory) {
    fs::create_directories(directory);
    ::chmod(directory.c_str(), 0711);
}

// Empty when there is no server: then the options must say everything.
Value ask_server(const Context& context) {
    try {
        auto info = server_info(context);
        if (!text_of(info, "stack").empty()) info["images"] = current_stack(context);
        return info;
    } catch (const Error&) {
        return Value::object();
    }
}

builder::StackImages choose_stack(const LocalOptions& options, const Value& server,
                                  const Context& context) {
    builder::StackImages stack{"given", options.build_image, options.run_image};
    if (const auto it = server.find("images"); it != server.end()) {
        if (stack.build.empty() && stack.run.empty()) stack.name = text_of(*it, "name");
        if (stack.build.empty()) stack.build = base::json::get_string(*it, "build");
        if (stack.run.empty()) stack.run = base::json::get_string(*it, "run");
    }
    if (stack.build.empty() || stack.run.empty())
        throw Error(ErrorKind::invalid_input, "there is no stack to build with",
                    "Name one with --build-image REF --run-image REF, or start a server that has "
                    "one (--state DIR).");
    for (auto* reference : {&stack.build, &stack.run}) {
        const auto registry = image::Reference::parse(*reference).registry;
        *reference = pin(*reference, registry_settings(server, registry), context.interrupted);
    }
    return stack;
}

builder::Target parse_target(const LocalOptions& options) {
    if (!options.publish.empty() && !options.output.empty())
        throw Error(ErrorKind::invalid_input, "--publish and --output exclude each other");
    if (!options.publish.empty()) {
        const auto reference = image::Reference::parse(options.publish);
        if (reference.digest)
            throw Error(ErrorKind::invalid_input, "--publish wants a tag, not a digest");
        return builder::RegistryTarget{reference.registry, reference.repository,
                                       reference.tag.value_or("latest")};
    }
    if (options.output.empty()) return builder::NoTarget{};
    if (!options.output.starts_with("oci:"))
        throw Error(ErrorKind::invalid_input, "--output wants oci:PATH or oci:PATH:TAG");
    const auto layout = parse_layout_reference(options.output);
    if (layout.digest) throw Error(ErrorKind::invalid_input, "--output wants a tag, not a digest");
    return builder::LayoutTarget{fs::absolute(layout.path),
                                 layout.tag.empty() ? "latest" : layout.tag};
}

void add_credentials(builder::Job& job, const Value& server) {
    std::vector<std::string> registries;
    for (const auto& reference : {job.stack.build, job.stack.run})
        registries.push_back(image::Reference::parse(reference).registry);
    if (const auto* target = std::get_if<builder::RegistryTarget>(&job.target))
        registries.push_back(target->registry);
    for (const auto& registry : registries)
        for (const auto& [host, credential] : registry_settings(server, registry).credentials)
            job.registry_credentials[host] = {credential.user, credential.password,
                                              credential.certificate, credential.key};
    job.insecure_registries = base::json::get_strings(server, "registry_insecure");
}

void add_settings(builder::Job& job, const LocalOptions& options, const Value& server) {
    const Value none = Value::object();
    const auto it = server.find("build");
    const Value& defaults = it == server.end() ? none : *it;
    if (defaults.contains("environment"))
        job.environment = defaults.at("environment").get<std::map<std::string, std::string>>();
    for (const auto& entry : options.environment) {
        const auto equals = entry.find('=');
        if (equals == std::string::npos || equals == 0)
            throw Error(ErrorKind::invalid_input,
                        "--env wants NAME=VALUE, not " + base::quoted(entry));
        job.environment[entry.substr(0, equals)] = entry.substr(equals + 1);
    }
    const auto choose = [&](const std::string& option, const char* name, const char* otherwise) {
        if (!option.empty()) return option;
        return base::json::find_string(defaults, name).value_or(otherwise);
    };
    job.ca_file = choose(options.ca_file.empty() ? "" : fs::absolute(options.ca_file).string(),
                         "ca_certificates", "");
    job.runtime = choose(options.runtime, "runtime", "crun");
    job.network = choose(options.network, "network", "internet");
    job.slug_ignore = choose(options.slug_ignore, "slugignore", "after") == "before"
                          ? builder::SlugIgnore::before
                          : builder::SlugIgnore::after;
    job.variables_in_environment = choose("", "classic_variables", "files") == "environment";
    job.stack.classic_name = choose("", "classic_stack", "");
    for (const auto& directory : options.buildpacks)
        job.buildpack_directories.push_back(fs::canonical(directory));
    if (job.buildpack_directories.empty())
        for (auto& directory : base::json::get_strings(defaults, "buildpacks"))
            job.buildpack_directories.emplace_back(std::move(directory));
    if (job.buildpack_directories.empty())
        job.buildpack_directories.push_back(fs::weakly_canonical(share_directory() / "buildpacks"));
    job.launcher_directory = choose("", "launcher", program_directory().c_str());
    if (::geteuid() == 0)
        job.first_id = static_cast<unsigned>(
            base::json::find_integer(defaults, "first_id").value_or(first_id_of_root));
}

// NAME=DIR: the directory's files are the binding's.
void add_bindings(builder::Job& job, const LocalOptions& options) {
    constexpr std::size_t largest = 1u << 20;
    for (const auto& binding : options.bindings) {
        const auto equals = binding.find('=');
        const fs::path directory =
            equals == std::string::npos ? std::string() : binding.substr(equals + 1);
        if (equals == 0 || !fs::is_directory(directory))
            throw Error(ErrorKind::invalid_input,
                        "--service-binding wants NAME=DIR, not " + base::quoted(binding),
                        "DIR has a file for each entry of the binding: type, provider, ...");
        auto& files = job.bindings[binding.substr(0, equals)];
        for (const auto& entry : fs::directory_iterator(directory))
            if (entry.is_regular_file()) // a link to one too: Kubernetes mounts secrets so
                files[entry.path().filename().string()] = base::read_file(entry.path(), largest);
        if (!files.contains("type"))
            throw Error(ErrorKind::invalid_input, "the service binding " +
                                                      base::quoted(directory.string()) +
                                                      " has no file `type`");
    }
}

// A path as the person means it, from the directory they are in; anything else as it is.
std::string absolute_uri(std::string uri) {
    if (uri.starts_with("file://")) uri.erase(0, 7);
    const bool exists = uri.find("://") == std::string::npos && fs::exists(uri);
    const bool path = exists || uri.starts_with('/') || uri.starts_with('.');
    if (path && !exists)
        throw Error(ErrorKind::not_found, "there is no file or folder " + base::quoted(uri) +
                                              " to take a buildpack from");
    return path ? fs::weakly_canonical(fs::absolute(uri)).string() : uri;
}

// A person at a terminal may name whatever they can reach themselves.
void add_given_buildpacks(builder::Job& job, const LocalOptions& options) {
    for (const auto& uri : options.given) job.buildpacks.uris.push_back(absolute_uri(uri));
    job.buildpacks.by = "the command line";
    job.source_access.any_host = true;
    job.source_access.any_folder = true;
}

} // namespace

builder::Job make_local_job(const LocalOptions& options, const Context& context) {
    const auto server = ask_server(context);
    const auto root = cache_root();
    make_passable(root);
    make_passable(root / "builds");
    fs::create_directories(root / "images");
    fs::create_directories(root / "buildpack-sources");
    builder::Job job;
    job.id = "local-" + base::random_hex(6);
    job.app = "local";
    job.stack = choose_stack(options, server, context);
    job.target = parse_target(options);
    job.compression =
        image::parse_compression(options.compression).value_or(image::Compression::gzip);
    add_settings(job, options, server);
    add_bindings(job, options);
    add_credentials(job, server);
    job.images_directory = root / "images";
    job.sources_directory = root / "buildpack-sources";
    add_given_buildpacks(job, options);
    if (!options.cache.empty()) job.cache_directory = fs::absolute(options.cache);
    job.work_directory = root / "builds" / job.id;
    fs::create_directories(job.work_directory);
    return job;
}

void add_local_options(CLI::App& command, const std::shared_ptr<LocalOptions>& options) {
    command.add_option("dir", options->directory, "the app's directory")->required();
    command.add_flag("--explain", options->explain, "say what is used and how long it took");
    command.add_option("--build-image", options->build_image,
                       "build image (default: the server's)");
    command.add_option("--run-image", options->run_image, "run image (default: the server's)");
    command.add_option("--buildpacks", options->buildpacks, "directory with an order.toml");
    command
        .add_option("--buildpack", options->given,
                    "buildpack to use: id, URL, path, docker://image (repeatable)")
        ->allow_extra_args(false);
    command.add_option("--env", options->environment, "NAME=VALUE for buildpacks");
    command.add_option("--service-binding", options->bindings,
                       "NAME=DIR: a service binding for buildpacks");
    command.add_option("--ca-certificates", options->ca_file, "extra CA certificates (PEM)")
        ->check(CLI::ExistingFile);
    command.add_option("--runtime", options->runtime, "OCI runtime (crun)");
    command
        .add_option("--slugignore", options->slug_ignore,
                    "when .slugignore is applied: after or before a classic build (after)")
        ->check(CLI::IsMember({"after", "before"}));
    command.add_option("--network", options->network, "internet or none")
        ->check(CLI::IsMember({"internet", "none"}));
}
} // namespace cli
