#include "rebase_release.h"

#include "build_records.h"
#include "jobs.h"
#include "pusher_text.h"
#include "signatures.h"
#include "store_patience.h"

#include "apps/builds.h"
#include "builder/target.h"
#include "server/build_log.h"

#include "base/error.h"
#include "base/failpoint.h"
#include "base/log.h"
#include "base/text.h"

#include <nlohmann/json.hpp>

#include <algorithm>

namespace server {
namespace {

using apps::BuildState;
using base::Error;
using base::ErrorKind;

constexpr auto patience = std::chrono::minutes(10); // with one app: layers may have to be sent
constexpr auto lease = patience + std::chrono::minutes(5); // nobody renews it
constexpr std::uint64_t largest_log = 1u << 20;

// What was built is what it was: the row says from where, and what for.
apps::Build row_of(const apps::Build& parent, const apps::App& app, const RebaseWish& wish,
                   const std::string& run) {
    apps::Build row;
    row.id = apps::new_build_id();
    row.app = parent.app;
    row.source_kind = parent.source_kind;
    row.commit = parent.commit;
    row.ref = parent.ref;
    row.pushed_by = wish.by;
    row.door = "rebase";
    row.owner = app.owner;
    row.source = parent.source;
    row.options = base::json::render({{"rebase_of", parent.id}, {"run_image", run}});
    row.hook = parent.hook;
    row.created = apps::now_milliseconds();
    row.processes = parent.processes;
    return row;
}

builder::Materials materials_of(const std::filesystem::path& logs, const builder::Job& job,
                                const apps::Build& parent) {
    const auto records = read_records(logs, parent.id, builder::materials_record);
    return records.empty() ? builder::materials_of(job)
                           : builder::parse_materials(base::json::render(records.back()));
}

bool is_being_built(apps::Builds& builds, const std::string& app) {
    for (const auto state : {BuildState::running, BuildState::exporting})
        if (builds.count({.app = app, .state = state}) > 0) return true;
    return false;
}

// What is being handled.
Error caught() {
    try {
        throw;
    } catch (const Error& error) {
        return error;
    } catch (const std::exception& error) {
        return Error(ErrorKind::internal, error.what());
    }
}

void break_off(apps::Build& row, const Error& error) {
    row.state = error.kind() == ErrorKind::cancelled ? BuildState::cancelled : BuildState::broken;
    row.digest.clear();
    row.reference.clear();
    row.size = 0;
    row.reason = error.message();
    row.hint = error.hint();
    row.failed_phase = "publish";
}

} // namespace

std::shared_ptr<RunImages::Entry> RunImages::find(const std::string& reference,
                                                  const base::Stop& stop) {
    auto known = known_.lock();
    auto [found, added] = known->try_emplace(reference);
    auto& [entry, failure] = found->second;
    if (added) {
        try {
            entry = read(reference, stop);
        } catch (...) {
            failure = std::current_exception();
        }
    }
    if (failure) std::rethrow_exception(failure);
    return entry;
}

std::shared_ptr<RunImages::Entry> RunImages::read(const std::string& reference,
                                                  const base::Stop& stop) const {
    const auto name = image::Reference::parse(reference);
    const std::shared_ptr<image::BlobStore> store =
        registry::open_repository(name.registry, name.repository, access_);
    const auto wanted = name.digest ? name.digest->render() : name.tag.value_or("latest");
    const auto manifest = store->read_manifest(wanted, stop);
    if (!manifest)
        throw Error(ErrorKind::not_found, "there is no run image " + name.render(),
                    "Push it to its registry first.");
    builder::RunImage run{name, manifest->digest,
                          image::read_image(*store, manifest->digest.render(),
                                            image::this_architecture(), name.render(), stop)};
    auto layers = std::make_unique<builder::RunLayers>(run, store, registry_);
    return std::make_shared<Entry>(Entry{std::move(run), std::move(layers)});
}

void RebaseRelease::run(const base::Stop& stop) noexcept {
    try {
        settings_.drain.throw_if_over("a rebase");
        rebase(stop.within(patience));
    } catch (const std::exception&) {
        fail(caught());
    }
}

void RebaseRelease::fail(const Error& error) {
    report_.result = RebaseResult::failed;
    report_.reason = error.message();
    report_.hint = error.hint();
    base::log::warning("an app was not rebased",
                       {{"app", report_.app}, {"reason", error.describe()}});
}

void RebaseRelease::rebase(const base::Stop& stop) {
    auto app = settings_.store.find_app(report_.app);
    if (!app) throw Error(ErrorKind::not_found, "there is no app " + base::quoted(report_.app));
    app_ = std::move(*app);
    const auto parent = settings_.store.builds().last_published(app_.name);
    if (!parent) {
        report_.result = RebaseResult::skipped;
        report_.reason = "it has no image yet";
        return;
    }
    report_.from = parent->digest;
    run_ = images_.find(wish_.run.empty() ? stack_of(settings_.store, app_.name).run : wish_.run,
                        stop);
    report_.run = run_->image.pinned().render();
    const auto store = host_.open(settings_.registry.repository_of(app_));
    const auto before = image::read_image(*store, parent->digest, image::this_architecture(),
                                          parent->reference, stop);
    const auto rebased = builder::rebase(before, run_->image, wish_.force);
    report_.to = rebased.image.digest().render();
    report_.warnings = rebased.warnings;
    if (report_.to == report_.from) {
        report_.result = RebaseResult::unchanged;
        if (is_being_built(settings_.store.builds(), app_.name))
            report_.warnings.push_back(
                "a build of it is running, and publishes on the run image that it began with");
    } else if (wish_.dry_run) {
        report_.result = RebaseResult::would_rebase;
    } else {
        release(*parent, before, rebased, *store, stop);
        report_.result = RebaseResult::rebased;
    }
}

// The row first, as of a build; what is in the registry without a published row is nobody's.
void RebaseRelease::release(const apps::Build& parent, const image::Image& before,
                            const builder::Rebased& rebased, image::BlobStore& store,
                            const base::Stop& stop) {
    const auto claim = settings_.store.builds().begin(row_of(parent, app_, wish_, report_.run),
                                                      parent.id, settings_.name, lease);
    auto row = claim.build;
    report_.build = row.id;
    tell(row);
    base::failpoint("rebase_begun");
    lines_ = {"-----> Rebasing " + row.app + " onto " + report_.run,
              "       It was the image of build " + parent.id + ": " + parent.digest};
    for (const auto& warning : rebased.warnings)
        lines_.push_back("       Warning: " + base::printable(warning));
    std::exception_ptr failure;
    try {
        publish(row, parent, before, rebased, store, stop);
        report_.reference = row.reference;
    } catch (const std::exception&) {
        failure = std::current_exception();
        break_off(row, caught());
    }
    row.finished = apps::now_milliseconds();
    row.phases = {{"publish", std::max<std::int64_t>(0, row.finished - row.started)}};
    // The app's turn ends with it.
    write_patiently([&] { settings_.store.builds().finish(row, claim.fence); });
    write_log(row);
    tell(row);
    if (failure) std::rethrow_exception(failure);
}

void RebaseRelease::publish(apps::Build& row, const apps::Build& parent, const image::Image& before,
                            const builder::Rebased& rebased, image::BlobStore& store,
                            const base::Stop& stop) {
    builder::Job job;
    add_registry(job, settings_.registry, app_, parent.ref);
    const auto& target = std::get<builder::RegistryTarget>(job.target);
    run_->layers->put(store, target.repository, before, stop);
    const auto digest =
        builder::write_image(store, target.repository, rebased.image, target.tag, stop);
    base::failpoint("rebase_written");
    row.state = BuildState::published;
    row.digest = digest.render();
    row.reference = builder::reference_of(job.target, digest);
    row.size = rebased.image.total_size();
    if (!settings_.prove) return;
    try {
        prove(row, parent, stop);
    } catch (const Error& error) {
        throw Error(error.kind(),
                    "the image is in the registry, but its signature and provenance are not: " +
                        error.message(),
                    error.hint().empty() ? "Rebase it again." : error.hint());
    }
}

void RebaseRelease::prove(const apps::Build& row, const apps::Build& parent,
                          const base::Stop& stop) {
    builder::Job job;
    job.id = row.id;
    job.app = row.app;
    job.revision = row.commit;
    job.ca_file = settings_.ca_file;
    if (!row.source.empty()) job.source = builder::parse_source(row.source);
    const auto stack = stack_of(settings_.store, row.app);
    job.stack = {stack.name, stack.build, report_.run, {}};
    add_registry(job, settings_.registry, app_, row.ref);
    const auto materials = builder::render_materials(builder::on_run_image(
        materials_of(settings_.logs_directory, job, parent), report_.run, parent.reference));
    append_record(settings_.logs_directory, row.id, builder::materials_record, materials);
    std::string log;
    for (const auto& line : lines_) log += line + "\n";
    const builder::Published published{row.reference, row.digest, row.size, {}};
    settings_.prove({job, row, published, materials, log}, stop);
    lines_.push_back("       Signed, with its provenance and bills of materials");
}

void RebaseRelease::tell(const apps::Build& row) const {
    if (settings_.on_change) settings_.on_change(row);
}

// A full disk costs the lines, not the release.
void RebaseRelease::write_log(const apps::Build& row) const {
    try {
        BuildLog log(settings_.logs_directory / (row.id + ".log"), largest_log);
        for (const auto& line : lines_) log.append(line);
        for (const auto& line : tell_outcome(row)) log.append(line);
        log.finish();
    } catch (const std::exception& error) {
        base::log::warning("the log of a rebase could not be written",
                           {{"build", row.id}, {"reason", error.what()}});
    }
}

} // namespace server
