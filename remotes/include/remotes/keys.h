// Key pairs for repositories over SSH, and what their hosts show. Blocks; any thread.
#pragma once

#include "remotes/repository.h"

namespace remotes {

struct KeyPair {
    std::string public_key; // "ssh-ed25519 AAAA... comment"
    base::Secret private_key;
};

// Ed25519. The private half touches `scratch` only for as long as ssh-keygen runs.
KeyPair make_key_pair(const std::string& comment, const std::filesystem::path& scratch,
                      const base::Stop& stop);

// The keys that the host of an SSH URL shows now, as lines of known_hosts: trusted from here on,
// so whoever adds the repository should compare them. Throws Error{unavailable | denied}.
std::string scan_host_keys(const std::string& normal_url, const Settings& settings,
                           const base::Stop& stop);
// "ssh-ed25519 SHA256:..." for each line of known_hosts.
std::vector<std::string> fingerprints(const std::string& known_hosts,
                                      const std::filesystem::path& scratch, const base::Stop& stop);

// Removes what sessions of a process that was killed left in `scratch`: keys in plain text. Nothing
// may use it meanwhile.
void sweep(const std::filesystem::path& scratch);

} // namespace remotes
