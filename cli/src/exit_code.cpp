#include "cli/exit_code.h"

namespace cli {

int exit_code_of(base::ErrorKind kind) noexcept {
    using base::ErrorKind;
    switch (kind) {
    case ErrorKind::invalid_input:
        return exit_code::usage;
    case ErrorKind::denied:
    case ErrorKind::unauthenticated:
        return exit_code::denied;
    case ErrorKind::not_found:
        return exit_code::not_found;
    case ErrorKind::already_exists:
        return exit_code::conflict;
    case ErrorKind::limit_exceeded:
        return exit_code::limit;
    case ErrorKind::buildpack_failed:
        return exit_code::build_refused;
    case ErrorKind::timed_out:
        return exit_code::timed_out;
    case ErrorKind::unavailable:
        return exit_code::unavailable;
    case ErrorKind::cancelled:
        return exit_code::cancelled;
    case ErrorKind::internal:
        return exit_code::other;
    }
    return exit_code::other;
}

int exit_code_of_state(std::string_view state) noexcept {
    if (state == "refused") return exit_code::build_refused;
    // A newer push of the same branch took its turn: nothing is wrong, and there is no image.
    if (state == "cancelled" || state == "superseded") return exit_code::cancelled;
    // A dry run did what was asked.
    return state == "published" || state == "detected" ? exit_code::ok : exit_code::other;
}

} // namespace cli
