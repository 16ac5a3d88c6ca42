// slipway-worker: one build. A job (builder/job.h) on standard input, events (builder/event.h) on
// descriptor 3, its own log on standard error. SIGTERM cancels. By hand, for a debugger:
//   slipway-worker 3>&1 < job.json
#include "pipeline/pipeline.h"

#include "builder/masking.h"

#include "base/error.h"
#include "base/fd.h"
#include "base/log.h"
#include "engine/namespaces.h"

#include <csignal>
#include <fcntl.h>
#include <iostream>
#include <sys/stat.h>

namespace {

constexpr int event_fd = 3;
constexpr std::size_t largest_job = 4u << 20;

base::StopSource* stop_source = nullptr; // for the signal handler alone

void request_stop(int) {
    stop_source->request();
}

// The ids of this world are not those outside: what others own privately is bound to places that
// it can reach, read-only, before the ids change. The job then names those places.
class Binds {
  public:
    explicit Binds(const std::filesystem::path& work) : root_(work / "inputs") {
        std::filesystem::create_directories(root_);
    }

    std::filesystem::path add(const std::filesystem::path& source, const std::string& name) {
        const auto target = root_ / name;
        if (std::filesystem::is_directory(source))
            std::filesystem::create_directories(target);
        else {
            std::filesystem::create_directories(target.parent_path());
            base::write_file(target, "");
        }
        binds_.emplace_back(source, target);
        return target;
    }

    const auto& all() const { return binds_; }

  private:
    std::filesystem::path root_;
    std::vector<std::pair<std::filesystem::path, std::filesystem::path>> binds_;
};

builder::Job bind_inputs(builder::Job job, Binds& binds) {
    if (auto* tree = std::get_if<builder::GitTree>(&job.source)) {
        const auto repository = binds.add(tree->repository, "repository");
        if (!tree->quarantine.empty())
            tree->quarantine = repository / tree->quarantine.lexically_relative(tree->repository);
        tree->repository = repository;
    } else if (auto* archive = std::get_if<builder::Archive>(&job.source)) {
        archive->file = binds.add(archive->file, "source");
    }
    int number = 0;
    for (auto& directory : job.buildpack_directories)
        directory = binds.add(directory, "buildpacks-" + std::to_string(number++));
    job.launcher_directory = binds.add(job.launcher_directory, "launcher");
    // Folders and archives that a person named by their absolute path.
    if (job.source_access.any_folder)
        for (auto& uri : job.buildpacks.uris)
            if (uri.starts_with('/') && std::filesystem::exists(uri))
                uri = binds.add(uri, "given-" + std::to_string(number++) + "/" +
                                         std::filesystem::path(uri).filename().string());
    if (!job.ca_file.empty()) job.ca_file = binds.add(job.ca_file, "ca-certificates.crt");
    return job;
}

engine::WorldSpec world_of(const builder::Job& job, const Binds& binds) {
    engine::WorldSpec spec{.first_id = job.first_id,
                           .name = job.work_directory.filename().string()};
    spec.limits.memory_bytes = job.limits.memory_bytes;
    spec.limits.pids = job.limits.pids;
    spec.limits.cpus = job.limits.cpus;
    spec.read_only_binds = binds.all();
    for (const auto& directory :
         {job.work_directory, job.images_directory, job.sources_directory, job.cache_directory})
        if (!directory.empty()) {
            std::filesystem::create_directories(directory);
            spec.owned_directories.push_back(directory);
        }
    return spec;
}

int work(const builder::Job& job, const engine::World& world) {
    static base::StopSource source; // a signal may still come while we leave
    stop_source = &source;
    std::signal(SIGTERM, request_stop);
    std::signal(SIGINT, request_stop);
    std::signal(SIGPIPE, SIG_IGN);
    builder::Reporter report(event_fd, job.limits.log_bytes, builder::mask_of(job));
    report.send(builder::run_pipeline(job, world, report, source.stop()));
    return 0;
}

int run() {
    if (::fcntl(event_fd, F_SETFD, FD_CLOEXEC) != 0)
        throw base::Error(base::ErrorKind::invalid_input, "descriptor 3 is not open",
                          "Run it as: slipway-worker 3>&1 < job.json");
    auto job = builder::Job::parse(base::read_to_end(0, largest_job));
    // Whoever started us may keep its files to itself; what is made here the build's ids reach.
    ::umask(022);
    std::filesystem::create_directories(job.work_directory);
    // The app's source and its variables are nobody else's on this machine.
    std::filesystem::permissions(job.work_directory, std::filesystem::perms::owner_all);
    Binds binds(job.work_directory);
    job = bind_inputs(std::move(job), binds);
    return engine::enter(world_of(job, binds),
                         [&](const engine::World& world) { return work(job, world); });
}

} // namespace

int main(int argc, char**) {
    builder::give_back_freed_memory();
    base::log::open("slipway-worker", base::log::Level::info);
    if (argc > 1) {
        std::cerr << "usage: slipway-worker 3>EVENTS < JOB\n";
        return 2;
    }
    try {
        return run();
    } catch (const base::Error& error) {
        base::log::error("the worker could not start",
                         {{"error", error.describe()}, {"hint", error.hint()}});
        builder::Reporter report(event_fd, 1 << 16);
        report.send(
            builder::Broken{builder::Phase::fetch, error.kind(), error.message(), error.hint()});
        return 1;
    } catch (const std::exception& error) {
        base::log::error("the worker could not start", {{"error", error.what()}});
        return 1;
    }
}
