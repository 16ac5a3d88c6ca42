// The one exception of the project. A caller that chooses between cases gets an optional or a
// variant; a caller that can only stop gets a base::Error. Code decides by kind(), never by text.
#pragma once

#include <exception>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace base {

enum class ErrorKind {
    invalid_input,
    not_found,
    already_exists,
    denied,
    unauthenticated,
    limit_exceeded,
    unavailable,
    timed_out,
    cancelled,
    buildpack_failed,
    internal,
};

// The name used in JSON and in logs: "not_found".
std::string_view to_string(ErrorKind kind) noexcept;
std::optional<ErrorKind> parse_error_kind(std::string_view name) noexcept;

class Error : public std::exception {
  public:
    // message: one sentence that names the thing and the reason. hint: the way out, may be empty.
    Error(ErrorKind kind, std::string message, std::string hint = {});

    ErrorKind kind() const noexcept { return kind_; }
    const std::string& message() const noexcept { return message_; }
    const std::string& hint() const noexcept { return hint_; }
    // What was being done, innermost first.
    const std::vector<std::string>& trail() const noexcept { return trail_; }
    void add_context(std::string doing) { trail_.push_back(std::move(doing)); }

    // "message (while doing a, while doing b)": for the operator's log, without the hint.
    std::string describe() const;
    const char* what() const noexcept override { return message_.c_str(); }

  private:
    ErrorKind kind_;
    std::string message_;
    std::string hint_;
    std::vector<std::string> trail_;
};

// Runs f; an Error that leaves it carries `doing` in its trail.
template <class F>
auto while_doing(std::string doing, F&& f) -> decltype(f()) {
    try {
        return std::forward<F>(f)();
    } catch (Error& error) {
        error.add_context(std::move(doing));
        throw;
    }
}

// Throws an Error of the kind that errno (or `code`) means, with strerror's text: ENOENT is
// not_found, EACCES denied, ENOSPC unavailable with the hint to free space, ...
[[noreturn]] void throw_errno(std::string what);
[[noreturn]] void throw_errno(int code, std::string what);

} // namespace base
