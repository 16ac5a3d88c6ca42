#include "pipeline/reporter.h"

#include "builder/masking.h"

#include "base/fd.h"
#include "base/text.h"

namespace builder {
namespace {

// The queue ends a worker that says a line of more than 1 MiB; a stranger may have written any of
// this. JSON doubles quotes and backslashes.
constexpr std::size_t longest_line = 16u << 10;
constexpr std::size_t longest_sentence = 8u << 10;
constexpr std::size_t longest_command = 1000; // of a process, for people; the image has all of it
constexpr std::size_t longest_event = 1000u << 10;

std::string shortened(std::string_view text, std::size_t longest) {
    if (text.size() <= longest) return std::string(text);
    return std::string(text.substr(0, longest)) + " ...";
}

template <class Failure>
void shorten_failure(Outcome& outcome) {
    if (auto* failure = std::get_if<Failure>(&outcome)) {
        failure->reason = shortened(failure->reason, longest_sentence);
        failure->hint = shortened(failure->hint, longest_sentence);
    }
}

Outcome shortened(Outcome outcome) {
    shorten_failure<Refused>(outcome);
    shorten_failure<Broken>(outcome);
    if (auto* published = std::get_if<Published>(&outcome))
        for (auto& process : published->processes)
            process.command = shortened(process.command, longest_command);
    return outcome;
}

} // namespace

Reporter::Reporter(int fd, std::uint64_t log_bytes, base::SecretMask mask)
    : fd_(fd), mask_(std::move(mask)), left_(log_bytes) {}

void Reporter::step(std::string_view text) {
    line("-----> ", text);
}
void Reporter::body(std::string_view text) {
    line("       ", text);
}
void Reporter::problem(std::string_view text) {
    line(" !     ", text);
}

void Reporter::line(std::string_view prefix, std::string_view text) {
    std::string shown;
    if (!text.empty())
        shown.append(prefix).append(base::printable(shortened(mask_.apply(text), longest_line)));
    {
        const std::lock_guard lock(mutex_);
        if (left_ == 0) return;
        if (shown.size() >= left_) shown = " !     The log is full; the rest is left out.";
        left_ -= std::min<std::uint64_t>(left_, shown.size() + 1);
        if (shown.starts_with(" !     The log is full")) left_ = 0;
    }
    write(LogLine{std::move(shown)});
}

void Reporter::send(const Event& event) {
    write(masked(mask_, event));
}

void Reporter::write(const Event& event) {
    const auto* outcome = std::get_if<Outcome>(&event);
    const auto bytes = render(outcome ? Event(shortened(*outcome)) : event) + "\n";
    if (std::holds_alternative<Record>(event) && bytes.size() > longest_event) return;
    const std::lock_guard lock(mutex_);
    base::write_all(fd_, bytes);
}

} // namespace builder
