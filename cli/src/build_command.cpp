// `slipway build DIR`: the worker that a push starts, for a directory, without a server.
// `slipway detect DIR`: the same, but no further than detection.
#include "cli/exit_code.h"
#include "context.h"
#include "detection.h"
#include "local_job.h"
#include "local_signing.h"
#include "source_archive.h"

#include "builder/worker.h"
#include "image/oci_layout.h"

#include "base/error.h"
#include "base/temp_dir.h"
#include "base/text.h"

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include <cstdio>
#include <memory>
#include <optional>
#include <utility>

namespace cli {
namespace {

namespace fs = std::filesystem;
using base::Error;
using base::ErrorKind;
using base::json::Value;

// What a person watches; with --json standard output is for the result alone.
class Report {
  public:
    Report(const Context& context, bool explain, builder::Mode mode)
        : json_(context.json), explain_(explain), mode_(mode) {}

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
        if (const auto* record = std::get_if<builder::Record>(&event))
            if (record->name == "detection") take(base::json::parse(record->json, "detection"));
    }

    int end(const builder::Outcome& outcome) const {
        if (mode_ == builder::Mode::detect && json_ && !detection_.is_null())
            print_json(detection_);
        if (std::holds_alternative<builder::Detected>(outcome)) {
            if (!json_) print_detection(detection_);
            return exit_code::ok;
        }
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
    // Of a detection that failed the worker's own lines tell.
    void take(Value detection) {
        detection_ = std::move(detection);
        if (!explain_ || mode_ == builder::Mode::detect) return;
        if (base::json::find_bool(detection_, "passed", false))
            tell_detection(detection_, [this](const std::string& line) { say("       " + line); });
    }

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
    builder::Mode mode_;
    Value detection_;
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

    // Where the image is once it was delivered.
    builder::Target wanted(const builder::Job& job) const {
        return wanted_ ? builder::Target(*wanted_) : job.target;
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

std::optional<LocalSigning> signing_of(const LocalOptions& options, const Context& context) {
    if (options.sign_key.empty()) return {};
    if (options.publish.empty() && options.output.empty())
        throw Error(ErrorKind::invalid_input, "there is no image to put a signature beside",
                    "--sign-key goes with --publish or --output.");
    return LocalSigning(options.sign_key, context.version);
}

void build(Context& context, const LocalOptions& options, builder::Mode mode) {
    auto signing = signing_of(options, context);
    auto job = make_local_job(options, context);
    job.mode = mode;
    const LayoutDelivery delivery(job);
    const base::TempDir scratch("slipway-build-");
    const auto archive = scratch.path() / "source.tar";
    write_source_archive(fs::absolute(options.directory), archive, context.interrupted);
    job.source = builder::Archive{archive};
    Report report(context, options.explain, mode);
    report.explain(job);
    auto outcome = builder::run_worker(
        {program_directory() / "slipway-worker"}, job,
        [&](const builder::Event& event) {
            report.take(event);
            if (signing) signing->take(event);
        },
        context.interrupted.within(job.limits.time + std::chrono::minutes(1)));
    try {
        delivery.deliver(outcome, context.interrupted);
        const auto from = std::exchange(job.target, delivery.wanted(job));
        if (const auto* published = std::get_if<builder::Published>(&outcome); signing && published)
            signing->sign(job, *published, from, context.interrupted);
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
    const auto options = std::make_shared<LocalOptions>();
    auto* command = root.add_subcommand("build", "build a directory here, without a server");
    add_local_options(*command, options);
    command->add_option("--publish", options->publish, "push the image: host/name:tag");
    command->add_option("--output", options->output, "write the image: oci:PATH[:TAG]");
    command
        ->add_option("--compression", options->compression,
                     "of the layers that are made: gzip, zstd or none (gzip)")
        ->check(CLI::IsMember({"gzip", "zstd", "none"}));
    command
        ->add_option("--sign-key", options->sign_key,
                     "sign the image and its provenance with this private key (PEM, P-256)")
        ->check(CLI::ExistingFile);
    command->add_option("--cache", options->cache, "directory kept between builds");
    command->callback([&context, options] { build(context, *options, builder::Mode::build); });
    const auto detected = std::make_shared<LocalOptions>();
    command =
        root.add_subcommand("detect", "say which buildpacks would build a directory, and why");
    add_local_options(*command, detected);
    command->callback([&context, detected] { build(context, *detected, builder::Mode::detect); });
}

} // namespace cli
