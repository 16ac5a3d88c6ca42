#include "base/error.h"

#include <array>
#include <cerrno>
#include <cstring>

namespace base {
namespace {

struct Name {
    ErrorKind kind;
    std::string_view name;
};

constexpr std::array names{
    Name{ErrorKind::invalid_input, "invalid_input"},
    Name{ErrorKind::not_found, "not_found"},
    Name{ErrorKind::already_exists, "already_exists"},
    Name{ErrorKind::denied, "denied"},
    Name{ErrorKind::unauthenticated, "unauthenticated"},
    Name{ErrorKind::limit_exceeded, "limit_exceeded"},
    Name{ErrorKind::unavailable, "unavailable"},
    Name{ErrorKind::timed_out, "timed_out"},
    Name{ErrorKind::cancelled, "cancelled"},
    Name{ErrorKind::buildpack_failed, "buildpack_failed"},
    Name{ErrorKind::internal, "internal"},
};

ErrorKind kind_of_errno(int code) {
    switch (code) {
    case ENOENT:
    case ESRCH:
    case ENXIO:
        return ErrorKind::not_found;
    case EEXIST:
        return ErrorKind::already_exists;
    case EACCES:
    case EPERM:
    case EROFS:
        return ErrorKind::denied;
    case EMFILE:
    case ENFILE:
    case ENOMEM:
    case EFBIG:
        return ErrorKind::limit_exceeded;
    case ECONNREFUSED:
    case ECONNRESET:
    case EPIPE:
    case EHOSTUNREACH:
    case ENETUNREACH:
    case ENOSPC:
    case EDQUOT:
        return ErrorKind::unavailable; // ours to mend; it works again later
    case ETIMEDOUT:
        return ErrorKind::timed_out;
    case EINVAL:
    case ENAMETOOLONG:
    case ENOTDIR:
    case EISDIR:
        return ErrorKind::invalid_input;
    default:
        return ErrorKind::internal;
    }
}

std::string hint_of_errno(int code) {
    if (code == ENOSPC || code == EDQUOT) return "Free some space on that disk and try again.";
    if (code == EMFILE || code == ENFILE) return "Raise the limit on open files.";
    return {};
}

} // namespace

std::string_view to_string(ErrorKind kind) noexcept {
    for (const auto& entry : names)
        if (entry.kind == kind) return entry.name;
    return "internal";
}

std::optional<ErrorKind> parse_error_kind(std::string_view name) noexcept {
    for (const auto& entry : names)
        if (entry.name == name) return entry.kind;
    return std::nullopt;
}

Error::Error(ErrorKind kind, std::string message, std::string hint)
    : kind_(kind), message_(std::move(message)), hint_(std::move(hint)) {}

std::string Error::describe() const {
    std::string text = message_;
    for (const auto& doing : trail_) text += "; while " + doing;
    return text;
}

void throw_errno(std::string what) {
    throw_errno(errno, std::move(what));
}

void throw_errno(int code, std::string what) {
    throw Error(kind_of_errno(code), what + ": " + std::strerror(code), hint_of_errno(code));
}

} // namespace base
