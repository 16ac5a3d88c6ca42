// `slipway build DIR`: the worker that a push starts, for a directory, without a server. With a
// server on the machine its stack and its builds' settings are the defaults, so that the digest is
// the one that a push would give.
#include "cli/exit_code.h"
#include "context.h"
#include "images.h"
#include "source_archive.h"

#include "builder/worker.h"
#include "image/oci_layout.h"
#include "image/reference.h"

#include "base/error.h"
#include "base/temp_dir.h"
#include "base/text.h"

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include <cstdio>
#include <cstdlib>
#include <memory>
#include <optional>
#include <sys/stat.h>
#include <unistd.h>

namespace cli {
namespace {

namespace fs = std::filesystem;
using base::Error;
using base::ErrorKind;
using base::json::Value;

struct Options {
    std::string directory, publish, output, build_image, run_image, cache, ca_file, runtime,
        network;
    std::vector<std::string> buildpacks, given, environment;
    bool explain = false;
};

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
        auto info = context.call({{"verb", "server.info"}});
        if (!info.at("stack").is_null()) info["images"] = context.call({{"verb", "stack.info"}});
        return info;
    } catch (const Error&) {
        return Value::object();
    }
}

builder::StackImages choose_stack(const Options& options, const Value& server,
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

builder::Target parse_target(const Options& options) {
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
    if (!options.output.starts_with("oci:") || options.output.size() == 4)
        throw Error(ErrorKind::invalid_input, "--output wants oci:PATH or oci:PATH:TAG");
    const auto rest = options.output.substr(4);
    const auto colon = rest.rfind(':');
    const bool has_tag = colon != std::string::npos && rest.find('/', colon) == std::string::npos;
    return builder::LayoutTarget{fs::absolute(rest.substr(0, has_tag ? colon : std::string::npos)),
                                 has_tag ? rest.substr(colon + 1) : "latest"};
}

void add_credentials(builder::Job& job, const Value& server) {
    std::vector<std::string> registries;
    for (const auto& reference : {job.stack.build, job.stack.run})
        registries.push_back(image::Reference::parse(reference).registry);
    if (const auto* target = std::get_if<builder::RegistryTarget>(&job.target))
        registries.push_back(target->registry);
    for (const auto& registry : registries)
        for (const auto& [host, credential] : registry_settings(server, registry).credentials)
            job.registry_credentials[host] = {credential.user, credential.password};
    job.insecure_registries = base::json::get_strings(server, "registry_insecure");
}

void add_settings(builder::Job& job, const Options& options, const Value& server) {
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

// A path as the person means it, from the directory they are in; anything else as it is.
std::string absolute_uri(std::string uri) {
    if (uri.starts_with("file://")) uri.erase(0, 7);
    const bool path = uri.starts_with('/') || uri.starts_with('.') ||
                      (uri.find("://") == std::string::npos && fs::exists(uri));
    return path ? fs::weakly_canonical(fs::absolute(uri)).string() : uri;
}

// A person at a terminal may name whatever they can reach themselves.
void add_given_buildpacks(builder::Job& job, const Options& options) {
    for (const auto& uri : options.given) job.buildpacks.uris.push_back(absolute_uri(uri));
    job.buildpacks.by = "the command line";
    job.source_access.any_host = true;
    job.source_access.any_folder = true;
}

builder::Job make_job(const Options& options, const Context& context) {
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
    add_settings(job, options, server);
    add_credentials(job, server);
    job.images_directory = root / "images";
    job.sources_directory = root / "buildpack-sources";
    add_given_buildpacks(job, options);
    if (!options.cache.empty()) job.cache_directory = fs::absolute(options.cache);
    job.work_directory = root / "builds" / job.id;
    fs::create_directories(job.work_directory);
    return job;
}

// What a person watches; with --json standard output is for the result alone.
class Report {
  public:
    Report(const Context& context, bool explain) : json_(context.json), explain_(explain) {}

    void explain(const builder::Job& job) const {
        if (!explain_) return;
        say("-----> Stack " + job.stack.name);
        say("       build image " + job.stack.build);
        say("       run image   " + job.stack.run);
        for (const auto& directory : job.buildpack_directories)
            say("       buildpacks  " + directory.string());
        say("       runtime     " + job.runtime + ", network " + job.network);
    }

    void take(const builder::Event& event) {
        if (const auto* line = std::get_if<builder::LogLine>(&event))
            say(base::printable(line->text, base::Colour::keep));
        if (const auto* finished = std::get_if<builder::PhaseFinished>(&event)) {
            const std::string phase(builder::to_string(finished->phase));
            phases_[phase] = finished->milliseconds;
            if (explain_)
                say("-----> Phase " + phase + " took " +
                    base::human_duration(finished->milliseconds));
        }
    }

    int end(const builder::Outcome& outcome) const {
        if (const auto* published = std::get_if<builder::Published>(&outcome))
            return end(*published);
        if (const auto* refused = std::get_if<builder::Refused>(&outcome))
            return fail({refused->kind, refused->reason, refused->hint},
                        refused->kind == ErrorKind::timed_out ? exit_code::timed_out
                                                              : exit_code::build_refused);
        if (const auto* broken = std::get_if<builder::Broken>(&outcome))
            return fail({broken->kind, broken->reason, broken->hint},
                        broken->phase == builder::Phase::publish ? exit_code::unavailable
                                                                 : exit_code_of(broken->kind));
        return fail({ErrorKind::cancelled, "the build was cancelled"}, exit_code::cancelled);
    }

  private:
    void say(const std::string& line) const {
        if (!json_) return print_line(line);
        std::fprintf(stderr, "%s\n", line.c_str());
    }

    int end(const builder::Published& published) const {
        if (json_) {
            auto processes = Value::array();
            for (const auto& process : published.processes)
                processes.push_back({{"type", process.type},
                                     {"command", process.command},
                                     {"default", process.is_default}});
            print_json({{"digest", published.digest},
                        {"reference", published.reference},
                        {"size", published.size},
                        {"phases", phases_},
                        {"processes", processes}});
            return exit_code::ok;
        }
        say("-----> Built " + (published.reference.empty() ? "the image" : published.reference) +
            " (" + base::human_bytes(published.size) + " compressed)");
        print_line(published.digest);
        return exit_code::ok;
    }

    int fail(const Error& error, int code) const {
        print_error(error, json_);
        return code;
    }

    bool json_, explain_;
    std::map<std::string, std::int64_t> phases_;
};

// The worker's user may write below its work directory alone; from there the finished image goes
// where the person wants it, with the person's own rights.
class LayoutDelivery {
  public:
    explicit LayoutDelivery(builder::Job& job) {
        auto* target = std::get_if<builder::LayoutTarget>(&job.target);
        if (!target) return;
        wanted_ = *target;
        target->directory = made_ = job.work_directory / "layout";
    }

    void deliver(builder::Outcome& outcome, const base::Stop& stop) const {
        auto* published = std::get_if<builder::Published>(&outcome);
        if (!wanted_ || !published) return;
        copy(published->digest, stop);
        published->reference = "oci:" + wanted_->directory.string() + ":" + wanted_->tag;
    }

  private:
    void copy(const std::string& digest, const base::Stop& stop) const {
        const auto from = image::open_oci_layout(made_);
        const auto to = image::open_oci_layout(wanted_->directory);
        const auto manifest = from->read_manifest(digest, stop);
        if (!manifest) throw Error(ErrorKind::internal, "the finished image is not there");
        for (const auto& blob : image::blobs_of(*manifest))
            if (!to->find_missing({blob}, stop).empty())
                to->write_blob({blob, made_ / "blobs/sha256" / blob.digest.hex()}, stop);
        to->write_manifest(*manifest, wanted_->tag, stop);
    }

    std::optional<builder::LayoutTarget> wanted_;
    fs::path made_;
};

void build(Context& context, const Options& options) {
    auto job = make_job(options, context);
    const LayoutDelivery delivery(job);
    const base::TempDir scratch("slipway-build-");
    const auto archive = scratch.path() / "source.tar";
    write_source_archive(fs::absolute(options.directory), archive, context.interrupted);
    job.source = builder::Archive{archive};
    Report report(context, options.explain);
    report.explain(job);
    auto outcome = builder::run_worker(
        {program_directory() / "slipway-worker"}, job,
        [&](const builder::Event& event) { report.take(event); },
        context.interrupted.within(job.limits.time + std::chrono::minutes(1)));
    try {
        delivery.deliver(outcome, context.interrupted);
    } catch (const Error& error) {
        outcome =
            builder::Broken{builder::Phase::publish, error.kind(), error.message(), error.hint()};
    }
    std::error_code ignored; // as an ordinary user the worker alone can remove it, and has
    fs::remove_all(job.work_directory, ignored);
    context.exit_code = report.end(outcome);
}

} // namespace

void add_build(CLI::App& root, Context& context) {
    const auto options = std::make_shared<Options>();
    auto* command = root.add_subcommand("build", "build a directory here, without a server");
    command->add_option("dir", options->directory, "the app's directory")->required();
    command->add_option("--publish", options->publish, "push the image: host/name:tag");
    command->add_option("--output", options->output, "write the image: oci:PATH[:TAG]");
    command->add_flag("--explain", options->explain, "say what is used and how long it took");
    command->add_option("--build-image", options->build_image,
                        "build image (default: the server's)");
    command->add_option("--run-image", options->run_image, "run image (default: the server's)");
    command->add_option("--buildpacks", options->buildpacks, "directory with an order.toml");
    command->add_option("--buildpack", options->given,
                        "buildpack to use: id, URL, path, docker://image (repeatable)")
        ->allow_extra_args(false);
    command->add_option("--env", options->environment, "NAME=VALUE for buildpacks");
    command->add_option("--ca-certificates", options->ca_file, "extra CA certificates (PEM)")
        ->check(CLI::ExistingFile);
    command->add_option("--cache", options->cache, "directory kept between builds");
    command->add_option("--runtime", options->runtime, "OCI runtime (crun)");
    command->add_option("--network", options->network, "internet or none")
        ->check(CLI::IsMember({"internet", "none"}));
    command->callback([&context, options] { build(context, *options); });
}

} // namespace cli
