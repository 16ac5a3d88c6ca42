// git, run on what strangers wrote: nothing of this machine's configuration, hooks, credentials or
// prompts, no protocol but those named, no file it writes larger than was allowed. One thread.
#pragma once

#include "base/process.h"
#include "base/stop.h"
#include "http/url.h"

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace remotes {

class Git {
  public:
    // protocols: as GIT_ALLOW_PROTOCOL has them ("http:https"). most_bytes: of each file, and so of
    // each pack, that git writes.
    Git(std::string protocols, std::uint64_t most_bytes);

    Git& configure(std::string key, std::string value); // of git-config(1)
    Git& set_variable(std::string name, std::string value);
    // Whom it may call over HTTP(S): `addresses` (empty: whatever the name means), with the
    // certificates of `ca_file` (may be empty) beside the system's. `authorization` ("Basic ...",
    // may be empty) is the header for this host alone; it is in git's environment, not in argv.
    Git& call(const http::Url& host, const std::vector<std::string>& addresses,
              const std::filesystem::path& ca_file, const std::string& authorization);

    // As this user and group, and with a bound on its memory: for git that is on the server itself
    // and not in a build's world. Empty changes nothing.
    Git& run_as(std::optional<std::pair<unsigned, unsigned>> user);

    // Blocks. Output past `limit` bytes is dropped. Throws Error{cancelled | timed_out}.
    base::Captured run(std::vector<std::string> arguments, const base::Stop& stop,
                       std::size_t limit = 1u << 20) const;

  private:
    std::uint64_t most_bytes_;
    std::vector<std::pair<std::string, std::string>> configuration_;
    std::vector<std::string> environment_;
    std::optional<std::pair<unsigned, unsigned>> user_;
};

// For prlimit: of what talks to strangers on the server itself.
inline constexpr const char* memory_limit = "--as=4294967296";

enum class GitFault {
    too_large,     // a file past most_bytes
    host_key,      // ssh: not the one that is known
    key_refused,   // ssh: the remote does not take ours
    redirected,    // HTTP, to another address: not followed
    no_repository, // or not for who asks
    no_such_ref,   // nor commit: the remote has it not, or gives it to nobody
    damaged,       // an object that git refuses
    unreachable,
    other,
};
// What was wrong with a run that did not end well.
GitFault fault_of(const base::Captured& result);
// git's own sentence among what it, ssh and the remote printed; short and printable.
std::string reason_of(const base::Captured& result);

} // namespace remotes
