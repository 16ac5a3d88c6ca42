#include "server/build_log.h"

#include "base/error.h"
#include "base/log.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <sys/eventfd.h>
#include <unistd.h>

namespace server {
namespace {

constexpr std::size_t longest_piece = 256u << 10;

// Up to the last newline below `end`, so that a reader never sees half a line.
LogPiece read_lines(int file, std::uint64_t offset, std::uint64_t end) {
    LogPiece piece;
    piece.next = offset;
    if (offset >= end) return piece;
    piece.text.resize(std::min<std::uint64_t>(end - offset, longest_piece));
    const ssize_t n =
        ::pread(file, piece.text.data(), piece.text.size(), static_cast<off_t>(offset));
    piece.text.resize(n > 0 ? static_cast<std::size_t>(n) : 0);
    if (const auto newline = piece.text.rfind('\n'); newline != std::string::npos)
        piece.text.resize(newline + 1);
    piece.next += piece.text.size();
    return piece;
}

} // namespace

BuildLog::Follower::Follower() : event_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
    if (!event_) base::throw_errno("could not follow a log");
}

void BuildLog::Follower::wake() noexcept {
    const std::uint64_t one = 1;
    [[maybe_unused]] const auto written = ::write(event_.get(), &one, sizeof one);
}

void BuildLog::Follower::clear() noexcept {
    std::uint64_t count = 0;
    [[maybe_unused]] const auto read = ::read(event_.get(), &count, sizeof count);
}

BuildLog::BuildLog(const std::filesystem::path& file, std::uint64_t limit)
    : file_(base::open_file(file, O_RDWR | O_CREAT | O_TRUNC, 0600)), limit_(limit) {}

void BuildLog::append(std::string_view line) noexcept {
    auto state = state_.lock();
    if (state->cut || state->finished) return;
    try {
        std::string bytes(line);
        if (state->size + bytes.size() > limit_) {
            bytes = " !     The log ends here: it reached its limit.";
            state->cut = true;
        }
        bytes += '\n';
        const ssize_t n =
            ::pwrite(file_.get(), bytes.data(), bytes.size(), static_cast<off_t>(state->size));
        // A half-written line is written over by the next one.
        if (n == static_cast<ssize_t>(bytes.size()))
            state->size += bytes.size();
        else
            base::log::warning("a line of a build's log was lost",
                               {{"reason", n < 0 ? std::strerror(errno) : "no space"}});
        wake(*state);
    } catch (const std::exception&) {
        // Out of memory for one line: the line is lost.
    }
}

void BuildLog::finish() noexcept {
    auto state = state_.lock();
    state->finished = true;
    [[maybe_unused]] const int cut = ::ftruncate(file_.get(), static_cast<off_t>(state->size));
    wake(*state);
}

void BuildLog::wake() noexcept {
    wake(*state_.lock());
}

void BuildLog::wake(State& state) noexcept {
    std::erase_if(state.followers, [](const std::weak_ptr<Follower>& weak) {
        const auto follower = weak.lock();
        if (follower) follower->wake();
        return !follower;
    });
}

LogPiece BuildLog::read(std::uint64_t offset) {
    std::uint64_t size;
    bool finished;
    {
        auto state = state_.lock();
        size = state->size;
        finished = state->finished;
    }
    auto piece = read_lines(file_.get(), offset, size);
    // A file that gives nothing back although it should is over too, or readers would spin.
    piece.over = finished && (piece.next >= size || piece.text.empty());
    return piece;
}

std::shared_ptr<BuildLog::Follower> BuildLog::follow() {
    auto follower = std::make_shared<Follower>();
    state_.lock()->followers.push_back(follower);
    return follower;
}

LogPiece read_log_file(const std::filesystem::path& file, std::uint64_t offset) {
    const base::UniqueFd fd(::open(file.c_str(), O_RDONLY | O_CLOEXEC));
    if (!fd) return {.text = {}, .next = offset, .over = true};
    const off_t size = ::lseek(fd.get(), 0, SEEK_END);
    auto piece = read_lines(fd.get(), offset, size > 0 ? static_cast<std::uint64_t>(size) : 0);
    piece.over = piece.text.empty() || piece.next >= static_cast<std::uint64_t>(size);
    return piece;
}

std::uint64_t end_of_log_file(const std::filesystem::path& file) {
    const base::UniqueFd fd(::open(file.c_str(), O_RDONLY | O_CLOEXEC));
    off_t end = fd ? ::lseek(fd.get(), 0, SEEK_END) : 0;
    char tail[4096];
    while (end > 0) {
        const auto size = std::min<off_t>(end, sizeof tail);
        const auto n = ::pread(fd.get(), tail, static_cast<std::size_t>(size), end - size);
        if (n != size) return 0;
        const std::string_view text(tail, static_cast<std::size_t>(n));
        if (const auto newline = text.rfind('\n'); newline != std::string_view::npos)
            return static_cast<std::uint64_t>(end - size) + newline + 1;
        end -= size;
    }
    return 0;
}

} // namespace server
