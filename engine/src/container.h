// One run of an OCI runtime: its process, its three pipes and the container's pid 1. Owned by a
// Sandbox; the destructor kills the container at once. Knows nothing of the protocol on the pipes.
// One thread.
#pragma once

#include "engine/sandbox.h"

#include "base/fd.h"
#include "base/process.h"

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace engine {

class Container {
  public:
    // directory: ours, with `bundle` in it; gets the runtime's state.
    Container(const std::string& runtime, const std::filesystem::path& directory,
              const std::vector<std::filesystem::path>& cgroups);
    ~Container();
    Container(const Container&) = delete;
    Container& operator=(const Container&) = delete;

    int input() const noexcept { return input_.get(); }   // not blocking
    int output() const noexcept { return output_.get(); } // not blocking
    int errors() const noexcept { return errors_.get(); } // -1 after its end

    // Reads what the runtime (or the container's pid 1) has to say; keeps the end of it.
    void drain_errors();
    const std::string& last_words() const noexcept { return last_words_; }

    // Holds on to the container's pid 1, which must be alive: from then on kill() cannot miss.
    // Without effect while the runtime has not told its pid (runc does so late).
    void remember_init() noexcept;
    // Ends everything in the container at once.
    void kill() noexcept;
    // The same, and waits until it is so.
    void end() noexcept;

  private:
    std::filesystem::path pid_file_;
    std::vector<std::filesystem::path> cgroups_;
    base::UniqueFd input_, output_, errors_;
    std::optional<base::Process> runtime_;
    base::UniqueFd init_; // a pidfd
    std::string last_words_;
};

} // namespace engine
