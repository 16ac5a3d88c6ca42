// A build whose image is finished, but was not taken by its registry: its row stays exporting, and
// the image is sent again without a build.
#include "build_run.h"

#include "build_options.h"
#include "kept_images.h"
#include "made_job.h"
#include "pusher_text.h"
#include "store_patience.h"

#include "builder/kept.h"
#include "builder/masking.h"

#include "base/error.h"
#include "base/log.h"

namespace server {
namespace {

using base::Error;
using base::ErrorKind;

constexpr auto patience_with_registry = std::chrono::minutes(30);

// What passes by itself.
bool is_away(ErrorKind kind) {
    return kind == ErrorKind::unavailable || kind == ErrorKind::timed_out;
}

// Of our own machine: a full disk, no memory.
bool passes(ErrorKind kind) {
    return is_away(kind) || kind == ErrorKind::limit_exceeded || kind == ErrorKind::internal;
}

} // namespace

// Whether this is a worker's last word, and its image waits now.
bool BuildRun::was_kept(const builder::Event& event, const builder::Job& job) {
    const auto* outcome = std::get_if<builder::Outcome>(&event);
    const auto* broken = outcome ? std::get_if<builder::Broken>(outcome) : nullptr;
    if (!broken || broken->phase != builder::Phase::publish || !is_away(broken->kind)) return false;
    if (has_lost() || attempt_->cancel.stop().requested() || !take_kept(settings_, job))
        return false;
    if (park(Error(broken->kind, broken->reason, broken->hint))) return true;
    drop_kept(settings_, build_.id());
    return false;
}

// False: it has waited for too long.
bool BuildRun::park(const Error& why) {
    const auto pause = pause_of_kept(settings_, build_.id());
    if (!pause) return false;
    auto row = row_;
    row.state = apps::BuildState::exporting;
    row.reason = why.message();
    row.hint = "Nothing has to be built again: the image is sent as soon as the registry takes it.";
    try {
        write_patiently([&] { builds_.park(row, attempt_->fence, *pause); });
    } catch (const Error& error) {
        base::log::error("a build could not be parked; its image waits for the end of its lease",
                         {{"build", row.id}, {"reason", error.describe()}});
        if (error.kind() == ErrorKind::denied) {
            lose_lease();
            return true;
        }
    }
    over_ = true;
    row.kept = true;
    row.tries_again = apps::now_milliseconds() + pause->count();
    end_as_parked(row);
    return true;
}

void BuildRun::end_as_parked(const apps::Build& row) {
    if (!build_.begin_end(row)) return;
    for (const auto& line : tell_parked(row)) build_.log_.append(line);
    if (settings_.on_change) settings_.on_change(row);
    *build_.ended_.lock() = row;
    build_.log_.finish();
}

void BuildRun::send_kept() {
    row_.reason.clear(); // of the time before
    row_.hint.clear();
    build_.log_.append("-----> Sending the image again");
    try {
        publish_kept();
    } catch (const Error& error) {
        could_not_send(error);
    } catch (const std::exception& error) { // of the standard library
        could_not_send(Error(ErrorKind::internal, error.what()));
    }
}

void BuildRun::could_not_send(const Error& error) {
    if (over_) return break_off(error);
    if (attempt_->cancel.stop().requested()) return finish(builder::Cancelled{"it was cancelled"});
    if (passes(error.kind()) && park(error)) return;
    finish(builder::Broken{builder::Phase::publish, error.kind(), error.message(),
                           error.hint().empty() ? "Push again." : error.hint()});
}

void BuildRun::publish_kept() {
    MadeJob made(settings_, row_);
    auto& job = *made;
    apply_options(read_options(row_, settings_.keys), job);
    mask_ = builder::mask_of(job);
    const auto place = kept_image(settings_, build_.id());
    const auto stop = attempt_->cancel.stop().within(patience_with_registry);
    const auto published = builder::publish_kept(job, place, stop);
    materials_ = builder::read_kept(place).materials;
    const auto event = with_proof(builder::Outcome(published), job);
    const auto* outcome = std::get_if<builder::Outcome>(&event);
    if (const auto* broken = std::get_if<builder::Broken>(outcome))
        throw Error(broken->kind, broken->reason, broken->hint);
    take(event);
}

} // namespace server
