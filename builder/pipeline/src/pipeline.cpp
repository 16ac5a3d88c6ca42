#include "pipeline/pipeline.h"

#include "base/error.h"
#include "base/log.h"
#include "base/task_group.h"
#include "base/text.h"
#include "build_environment.h"
#include "builder/target.h"
#include "buildpacks/catalog.h"
#include "buildpacks/environment.h"
#include "cache_policy.h"
#include "classic_app.h"
#include "inputs.h"
#include "keep_image.h"
#include "materials.h"
#include "outcome.h"
#include "phase_clock.h"
#include "phases/build.h"
#include "phases/choose.h"
#include "phases/detect.h"
#include "phases/export.h"
#include "phases/fetch.h"
#include "phases/generate.h"
#include "phases/project_dir.h"
#include "phases/publish.h"
#include "phases/restore.h"
#include "previous_image.h"
#include "registry/image_store.h"
#include "slug_ignore.h"
#include "sources/fetcher.h"

#include <malloc.h>

namespace builder {
namespace {

using base::Error;
using base::ErrorKind;

// Stack, buildpacks and sandbox are the operator's: what is wrong with them is not the pusher's to
// mend, whatever its kind.
template <class F>
void operators(F&& f) {
    try {
        f();
    } catch (const Error& error) {
        if (error.kind() == ErrorKind::cancelled || error.kind() == ErrorKind::timed_out) throw;
        throw Error(ErrorKind::unavailable, error.message(), error.hint());
    }
}

class Pipeline {
  public:
    Pipeline(const Job& job, const engine::World& world, Reporter& report, const base::Stop& stop)
        : job_(job), world_(world), report_(report), stop_(stop), settings_(settings_of(job)),
          images_(job.images_directory, settings_), workspace_(job.work_directory) {}

    // The table of contents.
    Outcome run() {
        clock_.timed(Phase::fetch, [&] { fetch_source(); });
        std::optional<Published> same;
        const auto detected = clock_.timed(Phase::detect, [&] {
            choose();
            if ((same = publish_same())) return DetectedGroup{};
            auto groups = detect_group();
            if (job_.mode == Mode::build && !groups.extensions.empty()) generate_run_image(groups);
            return groups;
        });
        if (same) return *same;
        if (job_.mode == Mode::detect) return outcome_of(detected.buildpacks);
        const auto group = with_late_procfile(detected.buildpacks, *catalog_);
        clock_.timed(Phase::restore, [&] { restore_layers(group); });
        const auto built = clock_.timed(Phase::build, [&] { return build(group); });
        try {
            clock_.timed(Phase::export_, [&] { export_layers(built); });
            return clock_.timed(Phase::publish, [&] { return publish_image(*exported_, built); });
        } catch (const TargetError& error) {
            if (is_worth_keeping(job_, error)) keep(built);
            throw;
        }
    }

    Phase phase() const noexcept { return clock_.phase(); }

  private:
    void fetch_source() {
        operators([&] { open_stack(); });
        fetched_ = fetch(job_, workspace_, user_, stop_);
        report_.step("Fetched " + std::to_string(fetched_.files) +
                     (fetched_.files == 1 ? " file, " : " files, ") +
                     base::human_bytes(fetched_.bytes));
        const auto project = job_.environment.find("PROJECT_DIR");
        if (project == job_.environment.end() || project->second.empty()) return;
        parents_json_ = enter_project_directory(workspace_.app, project->second);
        report_.body("The app is its folder " + base::printable(project->second));
    }

    void open_stack() {
        build_image_.emplace(images_.read(image::Reference::parse(job_.stack.build), stop_));
        run_image_.emplace(images_.read(image::Reference::parse(job_.stack.run), stop_));
        reader_.emplace(job_, build_image_->image.architecture(), settings_, stop_);
        user_ = build_user(*build_image_);
        make_directories(workspace_, user_);
        catalog_.emplace(buildpacks::Catalog::load(job_.buildpack_directories));
        // A builder's own order; what is bundled can be named all the same.
        if (sources::is_builder(build_image_->image)) add_builder();
    }

    void add_builder() {
        sources::add_builder(images_.unpack(*build_image_, stop_), *catalog_);
        rule_ = "the builder's order";
    }

    void choose() {
        const auto choice = choose_buildpacks({.job = job_,
                                               .workspace = workspace_,
                                               .registry = settings_,
                                               .parents_json = parents_json_},
                                              *catalog_, report_, stop_);
        merge_environment(choice, job_);
        if (choice.automatic()) return;
        order_ = DetectInput::Order::given;
        rule_ = choice.rule;
    }

    // The image of an earlier build, when this one would be made from the same.
    std::optional<Published> publish_same() {
        if (job_.mode == Mode::detect || job_.inputs.secret.empty()) return std::nullopt;
        key_ = key_of({.job = job_,
                       .app = workspace_.app,
                       .catalog = *catalog_,
                       .chosen = order_ == DetectInput::Order::given,
                       .build_image = build_image_->reference,
                       .run_image = run_image_->reference},
                      stop_);
        if (job_.no_cache) return std::nullopt;
        const auto store = open_target(job_.target, settings_);
        return publish_finished(job_, key_, *store, report_, stop_);
    }

    DetectedGroup detect_group() {
        operators([&] { start_sandbox(); });
        report_.step("Detecting buildpacks on " + job_.stack.name);
        const auto seen = variables();
        if (job_.verbose) report_.body("Variables: " + names_of_variables(job_.environment));
        return detect({.catalog = *catalog_,
                       .sandbox = *sandbox_,
                       .workspace = workspace_,
                       .user = user_,
                       .variables = seen,
                       .target = target_of(*run_image_, distribution_),
                       .rule = rule_,
                       .order = order_,
                       .verbose = job_.verbose},
                      report_, stop_);
    }

    void generate_run_image(DetectedGroup& detected) {
        BuildPhase phase(job_.limits, workspace_, user_, variables(), report_);
        auto chosen = generate(detected, phase, *sandbox_, {images_, settings_}, stop_);
        if (!chosen) return;
        run_image_ = std::move(*chosen);
        report_.body("The run image is " + run_image_->reference.render());
        describe_target(images_.unpack(*build_image_, stop_));
    }

    // What buildpacks are told about the run image.
    void describe_target(const std::vector<std::filesystem::path>& layers) {
        distribution_ = distribution_of(*run_image_, layers);
        environment_ =
            base_environment({*build_image_, *run_image_, distribution_}, job_, workspace_);
    }

    void start_sandbox() {
        const auto layers = images_.unpack(*build_image_, stop_);
        describe_target(layers);
        operators_ = operator_variables(layers);
        write_platform(job_, workspace_);
        auto spec = sandbox_spec(job_, workspace_, user_);
        spec.root_layers = layers;
        spec.cgroups = world_.sandbox_cgroups;
        for (auto& mount : buildpack_mounts(*catalog_, workspace_, user_, stop_))
            spec.mounts.push_back(std::move(mount));
        if (write_ca_file(job_, workspace_, layers))
            spec.mounts.push_back({workspace_.ca_file, workspace_.ca_file_inside});
        sandbox_ = engine::Sandbox::start(spec, stop_);
    }

    buildpacks::Variables variables() const {
        return {environment_, job_.environment,
                classic_environment(job_, build_image_->image.config().environment), operators_};
    }

    void restore_layers(const Group& group) {
        cache_.emplace(
            job_.no_cache ? "" : job_.cache_directory,
            [&](const std::string& sentence) { report_.body(sentence); }, job_.cache_bytes);
        previous_ = reader_->take(report_);
        const RestoreInput input{
            .group = group,
            .previous = knows_previous() ? &previous_->metadata : nullptr,
            .image_bills = knows_previous()
                               ? bills_of(*previous_, *cache_, job_, settings_, report_, stop_)
                               : std::filesystem::path(),
            .workspace = workspace_,
            .user = user_};
        const auto restored = restore(input, *cache_);
        if (restored.layers.empty()) return;
        report_.step("Restored from the last build");
        for (const auto& layer : restored.layers) report_.body(layer);
    }

    // Without a cache buildpacks make everything anew.
    bool knows_previous() const { return previous_ && !job_.no_cache; }

    // Nothing may write any more; its mounts and its network are put away beside what follows.
    void end_sandbox() {
        sandbox_->end();
        putting_away_.start([sandbox = std::shared_ptr<engine::Sandbox>(std::move(sandbox_))](
                                const base::Stop&) mutable { sandbox.reset(); });
    }

    std::vector<BuiltMember> build(const Group& group) {
        std::vector<BuiltMember> finished;
        if (has_classic(group) && job_.slug_ignore == SlugIgnore::before)
            for (const auto& source : {workspace_.app, workspace_.classic_home})
                apply_slug_ignore(source, report_);
        BuildPhase phase(job_.limits, workspace_, user_, variables(), report_);
        try {
            phase.run(group, *sandbox_, finished, stop_);
        } catch (...) {
            end_sandbox();
            keep_cache([&] { keep_after_failure(*cache_, group, finished, workspace_); });
            throw;
        }
        end_sandbox();
        if (has_classic(group)) finish_classic_app(finished, workspace_, job_.slug_ignore, report_);
        return finished;
    }

    // A cache that cannot be kept costs the next build its time; it neither fails this one nor
    // hides why it failed.
    template <class Keep>
    void keep_cache(Keep&& keep) {
        try {
            keep();
        } catch (const std::exception& error) {
            base::log::warning("the cache could not be kept", {{"error", error.what()}});
            report_.body("The cache could not be kept; the next build starts without it.");
        }
    }

    ExportInput export_input(const std::vector<BuiltMember>& built, LayerIndex& index) const {
        return {.workspace = workspace_,
                .user = user_,
                .run_image = *run_image_,
                // Without its registry, whose address differs from server to server while the image
                // does not.
                .run_image_name = run_image_->reference.repository,
                .built = built,
                .previous = previous_ ? &*previous_ : nullptr,
                .launcher = job_.launcher_directory / "slipway-launch",
                .target = *target_,
                .index = index,
                .trust_previous = !job_.no_cache,
                .compression = job_.compression};
    }

    void export_layers(const std::vector<BuiltMember>& built) {
        report_.step("Exporting the image");
        // Not the one that was asked before the build: what it may do there is granted afterwards.
        target_ = open_target(job_.target, settings_);
        // Without a cache of buildpacks' layers, too: equal layers are not sent twice all the same.
        LayerIndex index(job_.cache_directory.empty() ? "" : job_.cache_directory / "exported",
                         [&](const std::string& sentence) { report_.body(sentence); });
        const auto& exported =
            exported_.emplace(export_image(export_input(built, index), report_, stop_));
        bills_ = read_bills(workspace_.bills / "launch"); // the cache takes them away
        keep_cache([&] {
            index.commit();
            keep_after_success(*cache_, exported.records, exported.bills_diff_id, workspace_);
        });
        for (const auto& named : exported.processes)
            report_.body("process " + named.process.type + ": " + command_line(named.process));
        if (exported.processes.empty())
            report_.body("No process types: add a Procfile to say what to run.");
    }

    // What is thrown on says why the image was not published.
    void keep(const std::vector<BuiltMember>& built) {
        try {
            LayerIndex nothing({}, [](const std::string&) {});
            if (!exported_) bills_ = read_bills(workspace_.bills / "launch");
            const auto materials = [&](const Exported& exported, image::BlobStore& store) {
                return job_.materials ? report_materials(exported, built, store) : std::string();
            };
            const auto exported = keep_image(
                {job_, export_input(built, nothing), exported_, key_, materials}, report_, stop_);
            if (exported_) return;
            keep_cache([&] {
                keep_after_success(*cache_, exported.records, exported.bills_diff_id, workspace_);
            });
        } catch (const std::exception& error) {
            base::log::warning("an image could not be kept", {{"error", error.what()}});
            report_.body("It could not be kept.");
        }
    }

    Published publish_image(const Exported& exported, const std::vector<BuiltMember>& built) {
        const auto base = registry::open_repository(run_image_->reference.registry,
                                                    run_image_->reference.repository, settings_);
        const PublishInput input{job_.target, exported, *target_, {run_image_->reference, *base}};
        const bool kept = !std::holds_alternative<NoTarget>(job_.target);
        if (kept) report_.step("Publishing");
        const auto published = publish(input, stop_);
        if (kept)
            report_.body(std::to_string(published.sent) + " of " + std::to_string(published.blobs) +
                         " blobs had to be sent (" + base::human_bytes(published.sent_bytes) + ")");
        if (kept && job_.materials) report_materials(exported, built, *target_);
        auto outcome = outcome_of(published, exported);
        outcome.inputs = key_;
        return outcome;
    }

    // For whoever signs for it.
    std::string report_materials(const Exported& exported, const std::vector<BuiltMember>& built,
                                 image::BlobStore& store) {
        const MaterialsInput input{.job = job_,
                                   .fetched = fetched_,
                                   .run_image = run_image_->reference,
                                   .built = built,
                                   .bills = bills_,
                                   .image = exported.image.digest(),
                                   .layers = exported.layers,
                                   .target = store};
        auto materials = gather_materials(input, report_, stop_);
        report_.send(Record{materials_record, materials});
        return materials;
    }

    Job job_; // with the environment of project.toml below its own
    const engine::World& world_;
    Reporter& report_;
    PhaseClock clock_{report_};
    const base::Stop& stop_;
    registry::Settings settings_;
    registry::ImageStore images_;
    Workspace workspace_;
    BuildUser user_;
    Fetched fetched_;
    std::vector<proof::Bill> bills_;
    std::optional<registry::PinnedImage> build_image_, run_image_;
    std::vector<sources::ParentJson> parents_json_; // manifests above PROJECT_DIR
    std::optional<buildpacks::Catalog> catalog_;
    std::optional<buildpacks::Distribution> distribution_;
    buildpacks::Environment environment_;
    std::vector<buildpacks::Modification> operators_;
    std::string rule_ = "the order of the bundled buildpacks";
    std::string key_; // of its inputs
    DetectInput::Order order_ = DetectInput::Order::automatic;
    std::unique_ptr<engine::Sandbox> sandbox_;
    base::TaskGroup putting_away_;
    std::optional<LayerCache> cache_;
    std::optional<Exported> exported_;
    std::optional<PreviousImage> previous_;
    std::optional<PreviousImageReader> reader_;
    std::unique_ptr<image::BlobStore> target_;
};

} // namespace

void give_back_freed_memory() noexcept {
    ::mallopt(M_MMAP_THRESHOLD, 128 << 10); // fixed: it would rise with what is freed
    ::mallopt(M_ARENA_MAX, 2);
}

Outcome run_pipeline(const Job& job, const engine::World& world, Reporter& report,
                     const base::Stop& stop) {
    const base::Stop bounded = stop.within(job.limits.time);
    Phase phase = Phase::fetch;
    try {
        Pipeline pipeline(job, world, report, bounded);
        try {
            return pipeline.run();
        } catch (...) {
            phase = pipeline.phase();
            throw;
        }
    } catch (const TargetError& error) {
        // Layers are sent while they are made: that this failed is a failure to publish.
        return outcome_of(error, Phase::publish, stop);
    } catch (const Error& error) {
        return outcome_of(error, phase, stop);
    } catch (const std::exception& error) {
        return outcome_of(Error(ErrorKind::internal, error.what()), phase, stop);
    }
}

} // namespace builder
