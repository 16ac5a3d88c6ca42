// Places where a test may kill the process, so that each one is survived on purpose. The list is
// here, whole: the crash test reads it and enumerates all. A failpoint is armed by the environment
// (SLIPWAY_FAILPOINT=name: SIGKILL at its first pass; name:N at its N-th) and costs one comparison
// otherwise.
#pragma once

#include <array>
#include <string_view>

namespace base {

inline constexpr std::array failpoints{
    std::string_view("build_added"),       // the row is there, nobody was told
    std::string_view("build_queued"),      // acknowledged, no worker has it
    std::string_view("build_claimed"),     // leased, its worker is not started
    std::string_view("worker_started"),    //
    std::string_view("source_fetched"),    //
    std::string_view("export_started"),    //
    std::string_view("worker_published"),  // the registry has the image, the row does not say so
    std::string_view("build_finished"),    // the row says so, the pusher was not told
    std::string_view("request_begun"),     // its Idempotency-Key is taken
    std::string_view("upload_spooled"),    // the bytes are there, without a name
    std::string_view("upload_stored"),     // renamed, its row is not there
    std::string_view("delivery_recorded"), // the webhook's row is there, 202 was not sent
    std::string_view("delivery_acknowledged"), // 202 was sent, nobody looked at it
    std::string_view("delivery_submitted"),    // its build is there, the delivery does not say so
    std::string_view("push_detached"),         // accepted, git has not moved the ref yet
    std::string_view("push_accepted"),         // git has moved the ref, the build is not queued yet
    std::string_view("notice_sent"),           // the forge knows, the outbox does not
    std::string_view("rebase_begun"),          // its row is there, the registry knows nothing
    std::string_view("rebase_written"), // the registry has its image, the row does not say so
};

// `name` must be in the list: a typing error ends the program at its first pass.
void failpoint(std::string_view name) noexcept;

} // namespace base
