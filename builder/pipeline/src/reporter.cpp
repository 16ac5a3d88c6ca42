#include "pipeline/reporter.h"

#include "base/fd.h"
#include "base/text.h"

namespace builder {

Reporter::Reporter(int fd, std::uint64_t log_bytes) : fd_(fd), left_(log_bytes) {}

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
    if (!text.empty()) shown.append(prefix).append(base::printable(text));
    {
        const std::lock_guard lock(mutex_);
        if (left_ == 0) return;
        if (shown.size() >= left_) shown = " !     The log is full; the rest is left out.";
        left_ -= std::min<std::uint64_t>(left_, shown.size() + 1);
        if (shown.starts_with(" !     The log is full")) left_ = 0;
    }
    send(LogLine{std::move(shown)});
}

void Reporter::send(const Event& event) {
    const std::string bytes = render(event) + "\n";
    const std::lock_guard lock(mutex_);
    base::write_all(fd_, bytes);
}

} // namespace builder
