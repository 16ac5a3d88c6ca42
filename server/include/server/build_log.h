// The log of one build: lines appended by the build, read by any number of people from any offset,
// while it grows and after. Thread-safe. It bounds its size and never throws at the writer: a full
// disk costs lines, not the build.
#pragma once

#include "base/fd.h"
#include "base/guarded.h"

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace server {

struct LogPiece {
    std::string text;       // whole lines, each with its newline
    std::uint64_t next = 0; // the offset after them
    bool over = false;      // nothing will ever come after
};

class BuildLog {
  public:
    // Readable after each change: to be polled beside a socket. clear() resets it.
    class Follower {
      public:
        Follower();
        int fd() const noexcept { return event_.get(); }
        void wake() noexcept;
        void clear() noexcept;

      private:
        base::UniqueFd event_;
    };

    BuildLog(const std::filesystem::path& file, std::uint64_t limit);

    void append(std::string_view line) noexcept; // without the newline
    void finish() noexcept;
    void wake() noexcept; // something beside the text changed

    LogPiece read(std::uint64_t offset);
    std::shared_ptr<Follower> follow();

  private:
    struct State {
        std::uint64_t size = 0;
        bool cut = false;
        bool finished = false;
        std::vector<std::weak_ptr<Follower>> followers;
    };
    void wake(State& state) noexcept;

    base::UniqueFd file_;
    std::uint64_t limit_;
    base::Guarded<State> state_;
};

// From the file of a build that has ended; empty text past its end, or when there is no file.
LogPiece read_log_file(const std::filesystem::path& file, std::uint64_t offset);
// The offset after its last whole line; 0 when there is no file.
std::uint64_t end_of_log_file(const std::filesystem::path& file);

} // namespace server
