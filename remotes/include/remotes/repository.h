// A git repository elsewhere and what opens it. Blocks; any thread.
#pragma once

#include "base/secret.h"
#include "base/stop.h"
#include "http/outgoing.h"

#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <sys/types.h>
#include <utility>
#include <vector>

namespace remotes {

struct Repository {
    std::string url;      // as normal_url() writes it
    base::Secret token;   // of HTTPS, "TOKEN" or "USER:PASSWORD"; sent to the URL's own host alone
    base::Secret ssh_key; // private, OpenSSH's format
    std::string known_hosts; // lines of an SSH URL's host: no other key of it is believed
};

struct Settings {
    http::OutgoingPolicy policy;
    std::filesystem::path ca_file; // more certificates to trust; empty: the system's alone
    std::filesystem::path scratch; // a directory of the caller's: keys lie there while git runs
    std::uint64_t most_bytes = 2ull << 30; // of what one fetch brings
    // Who git, ssh and ssh-keyscan are: they read what strangers send. Empty: us. Given where no
    // sandbox is around us; `scratch` must be open to him. Then their memory is limited too.
    std::optional<std::pair<uid_t, gid_t>> run_as = {};
};

// "https://host/path", "ssh://user@host[:port]/path" of it and of "user@host:path" (the forges'
// own short form, read from the root). http:// is kept for hosts that the operator allowed. Throws
// Error{invalid_input} for what is no such address, and for one with a password in it.
std::string normal_url(std::string_view url);
// The host that is called; its scheme is "https" for SSH too, its port the real one.
http::Url host_of(const std::string& normal_url);
bool is_ssh(std::string_view normal_url) noexcept;

// What the refs ("refs/heads/main") point to; those that are not there are left out.
// Throws Error{not_found} when there is no such repository or the credential does not open it,
// Error{denied} for an address or a host key that is not to be trusted, Error{unavailable}.
std::map<std::string, std::string> list_refs(const Repository& repository,
                                             const std::vector<std::string>& refs,
                                             const Settings& settings, const base::Stop& stop);

// Brings one commit, without its history where the server allows that, into a fresh bare
// repository at `directory`. `ref` is where it was seen, for servers that hand out no bare commits.
// Throws as list_refs does; Error{not_found} also for a commit that is not there (any more),
// Error{limit_exceeded} for one too large.
void fetch_commit(const Repository& repository, const std::string& commit, const std::string& ref,
                  const std::filesystem::path& directory, const Settings& settings,
                  const base::Stop& stop);

} // namespace remotes
