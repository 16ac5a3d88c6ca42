#include "remotes/keys.h"

#include "address.h"
#include "remotes/git.h"

#include "base/error.h"
#include "base/fd.h"
#include "base/process.h"
#include "base/temp_dir.h"
#include "base/text.h"

#include <sstream>

namespace remotes {
namespace {

using base::Error;
using base::ErrorKind;

constexpr auto time_to_scan = std::chrono::seconds(20);

} // namespace

KeyPair make_key_pair(const std::string& comment, const std::filesystem::path& scratch,
                      const base::Stop& stop) {
    const base::TempDir directory("key-", scratch);
    const auto file = directory.path() / "key";
    const auto made = base::run({.argv = {"ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C",
                                          comment, "-f", file.string()},
                                 .environment = base::minimal_environment()},
                                stop);
    if (!made.status.ok())
        throw Error(ErrorKind::unavailable,
                    "ssh-keygen made no key: " + base::printable(base::trim(made.error)));
    return {base::trim(base::read_file(file.string() + ".pub")),
            base::Secret(base::read_file(file))};
}

std::string scan_host_keys(const std::string& url, const Settings& settings,
                           const base::Stop& stop) {
    const auto address = parse_ssh(url);
    const auto addresses = http::checked_addresses(settings.policy, host_of(url));
    const auto called = addresses.empty() ? address.host : addresses.front();
    const auto scanned =
        base::run({.argv = {"prlimit", memory_limit, "ssh-keyscan", "-T", "10", "-p",
                            std::to_string(address.port), "-t", "ed25519,ecdsa,rsa", "--", called},
                   .environment = base::minimal_environment(),
                   .run_as = settings.run_as},
                  stop.within(time_to_scan));
    std::string known;
    std::istringstream lines(scanned.output);
    std::string host, type, key;
    for (std::string line; std::getline(lines, line);) {
        std::istringstream words(line);
        if (line.starts_with('#') || !(words >> host >> type >> key)) continue;
        known += address.known_as() + " " + type + " " + key + "\n";
    }
    if (known.empty())
        throw Error(ErrorKind::unavailable,
                    "nobody answers as an SSH server at " + address.known_as(),
                    "Is the address right, and may this server call it?");
    return known;
}

std::vector<std::string> fingerprints(const std::string& known_hosts,
                                      const std::filesystem::path& scratch,
                                      const base::Stop& stop) {
    const base::TempDir directory("keys-", scratch);
    base::write_file(directory.path() / "keys", known_hosts);
    const auto shown =
        base::run({.argv = {"ssh-keygen", "-l", "-f", (directory.path() / "keys").string()},
                   .environment = base::minimal_environment()},
                  stop);
    std::vector<std::string> prints; // "256 SHA256:... host (ED25519)"
    std::istringstream lines(shown.output);
    for (std::string line; std::getline(lines, line);) prints.push_back(base::printable(line));
    return prints;
}

void sweep(const std::filesystem::path& scratch) {
    std::vector<std::filesystem::path> left;
    for (const auto& entry : std::filesystem::directory_iterator(scratch)) {
        const auto name = entry.path().filename().string();
        for (const std::string_view ours : {"git-", "key-", "keys-"})
            if (entry.is_directory() && !entry.is_symlink() && name.starts_with(ours))
                left.push_back(entry.path());
    }
    for (const auto& path : left) base::remove_tree(path);
}

} // namespace remotes
