#include "builder/job.h"

#include "base/error.h"
#include "base/json.h"

#include <nlohmann/json.hpp>

namespace builder {
namespace {

using base::json::find_integer;
using base::json::find_string;
using base::json::get_string;
using base::json::Value;

enum class Secrets { leave_out, reveal };

Value render_commit(const RemoteCommit& commit, Secrets secrets) {
    Value value{{"kind", "commit"},
                {"url", commit.url},
                {"commit", commit.commit},
                {"ref", commit.ref},
                {"known_hosts", commit.known_hosts}};
    if (secrets == Secrets::reveal) {
        value["token"] = commit.token.reveal();
        value["ssh_key"] = commit.ssh_key.reveal();
    }
    return value;
}

Value source_as_json(const Source& source, Secrets secrets) {
    if (const auto* tree = std::get_if<GitTree>(&source))
        return {{"kind", "git"},
                {"repository", tree->repository.string()},
                {"commit", tree->commit},
                {"quarantine", tree->quarantine.string()}};
    if (const auto* archive = std::get_if<Archive>(&source))
        return {{"kind", "archive"},
                {"file", archive->file.string()},
                {"strip_single_root", archive->strip_single_root}};
    if (const auto* remote = std::get_if<RemoteArchive>(&source))
        return {{"kind", "url"}, {"url", remote->url}, {"checksum", remote->checksum}};
    return render_commit(std::get<RemoteCommit>(source), secrets);
}

Source source_from_json(const Value& value) {
    const auto kind = get_string(value, "kind");
    const auto text = [&](std::string_view name) { return find_string(value, name).value_or(""); };
    if (kind == "archive")
        return Archive{get_string(value, "file"),
                       base::json::find_bool(value, "strip_single_root", false)};
    if (kind == "git")
        return GitTree{get_string(value, "repository"), get_string(value, "commit"),
                       text("quarantine")};
    if (kind == "url") return RemoteArchive{get_string(value, "url"), text("checksum")};
    if (kind == "commit")
        return RemoteCommit{.url = get_string(value, "url"),
                            .commit = get_string(value, "commit"),
                            .ref = text("ref"),
                            .token = base::Secret(text("token")),
                            .ssh_key = base::Secret(text("ssh_key")),
                            .known_hosts = text("known_hosts")};
    throw base::Error(base::ErrorKind::invalid_input, "there is no source kind \"" + kind + "\"");
}

Value render_target(const Target& target) {
    if (const auto* registry = std::get_if<RegistryTarget>(&target))
        return {{"kind", "registry"},
                {"registry", registry->registry},
                {"repository", registry->repository},
                {"tag", registry->tag},
                {"shown_as", registry->shown_as}};
    if (const auto* layout = std::get_if<LayoutTarget>(&target))
        return {
            {"kind", "layout"}, {"directory", layout->directory.string()}, {"tag", layout->tag}};
    return {{"kind", "none"}};
}

Target parse_target(const Value& value) {
    const auto kind = get_string(value, "kind");
    if (kind == "registry")
        return RegistryTarget{get_string(value, "registry"), get_string(value, "repository"),
                              get_string(value, "tag"),
                              base::json::find_string(value, "shown_as").value_or("")};
    if (kind == "layout")
        return LayoutTarget{get_string(value, "directory"), get_string(value, "tag")};
    if (kind == "none") return NoTarget{};
    throw base::Error(base::ErrorKind::invalid_input, "there is no target kind \"" + kind + "\"");
}

Value render_limits(const JobLimits& limits) {
    return {{"memory_bytes", limits.memory_bytes},
            {"pids", limits.pids},
            {"cpus", limits.cpus},
            {"time_seconds", limits.time.count()},
            {"silence_seconds", limits.silence.count()},
            {"log_bytes", limits.log_bytes},
            {"source_bytes", limits.source_bytes},
            {"source_entries", limits.source_entries},
            {"archive_bytes", limits.archive_bytes},
            {"archive_ratio", limits.archive_ratio},
            {"source_depth", limits.source_depth},
            {"source_time_seconds", limits.source_time.count()}};
}

JobLimits parse_limits(const Value& value) {
    const auto natural = [&](std::string_view name) {
        return static_cast<std::uint64_t>(base::json::get_integer(value, name));
    };
    JobLimits limits;
    limits.memory_bytes = natural("memory_bytes");
    limits.pids = natural("pids");
    limits.cpus = value.value("cpus", 0.0);
    limits.time = std::chrono::seconds(natural("time_seconds"));
    limits.silence = std::chrono::seconds(natural("silence_seconds"));
    limits.log_bytes = natural("log_bytes");
    limits.source_bytes = natural("source_bytes");
    limits.source_entries = natural("source_entries");
    limits.archive_bytes = natural("archive_bytes");
    limits.archive_ratio = natural("archive_ratio");
    limits.source_depth = natural("source_depth");
    limits.source_time = std::chrono::seconds(natural("source_time_seconds"));
    return limits;
}

Value render_access(const SourceAccess& access) {
    return {{"any_host", access.any_host},
            {"any_folder", access.any_folder},
            {"submodules", access.submodules},
            {"allowed_private_hosts", access.allowed_private_hosts}};
}

SourceAccess parse_access(const Value& value) {
    return {.any_host = base::json::find_bool(value, "any_host", false),
            .any_folder = base::json::find_bool(value, "any_folder", false),
            .submodules = base::json::find_bool(value, "submodules", false),
            .allowed_private_hosts = base::json::get_strings(value, "allowed_private_hosts")};
}

// What decides about buildpacks; an older queue's job lacks it.
void parse_buildpacks(const Value& value, Job& job) {
    job.mode =
        find_string(value, "mode").value_or("build") == "detect" ? Mode::detect : Mode::build;
    job.revision = find_string(value, "revision").value_or("");
    if (const auto it = value.find("buildpacks"); it != value.end())
        job.buildpacks = {base::json::get_strings(*it, "uris"), get_string(*it, "by")};
    if (const auto it = value.find("source_access"); it != value.end())
        job.source_access = parse_access(*it);
    job.sources_directory = find_string(value, "sources_directory").value_or("");
    job.allowed_private_hosts = base::json::get_strings(value, "allowed_private_hosts");
    job.slug_ignore = find_string(value, "slug_ignore").value_or("after") == "before"
                          ? SlugIgnore::before
                          : SlugIgnore::after;
    job.variables_in_environment = base::json::find_bool(value, "variables_in_environment", false);
    job.cache_bytes = static_cast<std::uint64_t>(find_integer(value, "cache_bytes").value_or(0));
    job.compression = image::parse_compression(find_string(value, "compression").value_or("gzip"))
                          .value_or(image::Compression::gzip);
}

Value render_credentials(const Job& job) {
    Value credentials = Value::object();
    for (const auto& [host, access] : job.registry_credentials)
        credentials[host] = {{"user", access.user},
                             {"password", access.password.reveal()},
                             {"certificate", access.certificate},
                             {"key", access.key.reveal()},
                             {"of_this_build", access.of_this_build}};
    return credentials;
}

Value render_inputs(const KnownInputs& inputs) {
    auto finished = Value::array();
    for (const auto& build : inputs.finished)
        finished.push_back(
            {{"id", build.id}, {"event", Value::parse(render(Event(Outcome(build.published))))}});
    return {{"secret", inputs.secret.reveal()}, {"finished", std::move(finished)}};
}

KnownInputs parse_inputs(const Value& value) {
    KnownInputs inputs{.secret = base::Secret(get_string(value, "secret")), .finished = {}};
    for (const auto& build : value.at("finished")) {
        const auto event = parse_event(build.at("event").dump());
        inputs.finished.push_back(
            {get_string(build, "id"), std::get<Published>(std::get<Outcome>(event))});
    }
    return inputs;
}

} // namespace

std::string Job::render() const {
    std::vector<std::string> directories;
    for (const auto& directory : buildpack_directories) directories.push_back(directory.string());
    return base::json::render(
        {{"id", id},
         {"app", app},
         {"source", source_as_json(source, Secrets::reveal)},
         {"stack",
          {{"name", stack.name},
           {"build", stack.build},
           {"run", stack.run},
           {"classic_name", stack.classic_name}}},
         {"target", render_target(target)},
         {"mode", mode == Mode::detect ? "detect" : "build"},
         {"no_cache", no_cache},
         {"materials", materials},
         {"verbose", verbose},
         {"inputs", render_inputs(inputs)},
         {"previous", previous},
         {"revision", revision},
         {"buildpacks", {{"uris", buildpacks.uris}, {"by", buildpacks.by}}},
         {"source_access", render_access(source_access)},
         {"sources_directory", sources_directory.string()},
         {"allowed_private_hosts", allowed_private_hosts},
         {"slug_ignore", slug_ignore == SlugIgnore::before ? "before" : "after"},
         {"variables_in_environment", variables_in_environment},
         {"cache_bytes", cache_bytes},
         {"compression", image::to_string(compression)},
         {"buildpack_directories", directories},
         {"launcher_directory", launcher_directory.string()},
         {"images_directory", images_directory.string()},
         {"cache_directory", cache_directory.string()},
         {"work_directory", work_directory.string()},
         {"environment", environment},
         {"operator_variables", operator_variables},
         {"bindings", bindings},
         {"ca_file", ca_file.string()},
         {"network", network},
         {"runtime", runtime},
         {"first_id", first_id},
         {"limits", render_limits(limits)},
         {"insecure_registries", insecure_registries},
         {"registry_credentials", render_credentials(*this)}});
}

std::string render_source(const Source& source) {
    return base::json::render(source_as_json(source, Secrets::leave_out));
}

Source parse_source(std::string_view json) {
    return source_from_json(base::json::parse(json, "a build's source"));
}

std::string_view kind_of(const Source& source) noexcept {
    constexpr std::string_view kinds[] = {"git", "archive", "url", "commit"};
    return kinds[source.index()];
}

Job Job::parse(std::string_view json) {
    const Value value = base::json::parse(json, "a job");
    Job job;
    job.id = get_string(value, "id");
    job.app = get_string(value, "app");
    job.source = source_from_json(value.at("source"));
    const Value& stack = value.at("stack");
    job.stack = {get_string(stack, "name"), get_string(stack, "build"), get_string(stack, "run"),
                 find_string(stack, "classic_name").value_or("")};
    job.target = parse_target(value.at("target"));
    job.no_cache = base::json::find_bool(value, "no_cache", false);
    job.materials = base::json::find_bool(value, "materials", true);
    job.verbose = base::json::find_bool(value, "verbose", false);
    if (const auto it = value.find("inputs"); it != value.end()) job.inputs = parse_inputs(*it);
    job.previous = find_string(value, "previous").value_or("");
    parse_buildpacks(value, job);
    for (auto& directory : base::json::get_strings(value, "buildpack_directories"))
        job.buildpack_directories.emplace_back(std::move(directory));
    job.launcher_directory = get_string(value, "launcher_directory");
    job.images_directory = get_string(value, "images_directory");
    job.cache_directory = find_string(value, "cache_directory").value_or("");
    job.work_directory = get_string(value, "work_directory");
    job.environment = value.at("environment").get<std::map<std::string, std::string>>();
    for (auto& name : base::json::get_strings(value, "operator_variables"))
        job.operator_variables.insert(std::move(name));
    if (const auto it = value.find("bindings"); it != value.end())
        job.bindings = it->get<decltype(job.bindings)>();
    job.ca_file = find_string(value, "ca_file").value_or("");
    job.network = get_string(value, "network");
    job.runtime = get_string(value, "runtime");
    job.first_id = static_cast<unsigned>(find_integer(value, "first_id").value_or(0));
    job.limits = parse_limits(value.at("limits"));
    job.insecure_registries = base::json::get_strings(value, "insecure_registries");
    for (const auto& [host, access] : value.at("registry_credentials").items())
        job.registry_credentials[host] = {get_string(access, "user"),
                                          base::Secret(get_string(access, "password")),
                                          find_string(access, "certificate").value_or(""),
                                          base::Secret(find_string(access, "key").value_or("")),
                                          base::json::find_bool(access, "of_this_build", false)};
    return job;
}

} // namespace builder
