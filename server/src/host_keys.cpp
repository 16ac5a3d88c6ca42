#include "host_keys.h"

#include "base/error.h"
#include "base/fd.h"
#include "base/process.h"
#include "base/temp_dir.h"
#include "base/text.h"

#include <algorithm>
#include <array>
#include <fcntl.h>
#include <sstream>
#include <unistd.h>

namespace server {
namespace {

using base::Error;
using base::ErrorKind;

constexpr auto patience = std::chrono::seconds(60);
constexpr std::array key_types{"ssh-ed25519",
                               "ecdsa-sha2-nistp256",
                               "ecdsa-sha2-nistp384",
                               "ecdsa-sha2-nistp521",
                               "ssh-rsa",
                               "sk-ssh-ed25519@openssh.com",
                               "sk-ecdsa-sha2-nistp256@openssh.com"};
constexpr int least_rsa_bits = 2048;

base::Captured ssh_keygen(std::vector<std::string> arguments, std::string_view input = {}) {
    base::Command command;
    command.argv = {"ssh-keygen"};
    command.argv.insert(command.argv.end(), arguments.begin(), arguments.end());
    command.environment = base::minimal_environment({"LC_ALL=C"});
    return base::run(std::move(command), base::Stop{}.within(patience), input);
}

struct Listed { // "256 SHA256:... comment (ED25519)"
    int bits = 0;
    std::string fingerprint;
};

Listed parse_listing(const std::string& line) {
    std::istringstream words(line);
    Listed listed;
    if (!(words >> listed.bits >> listed.fingerprint) || !listed.fingerprint.starts_with("SHA256:"))
        throw Error(ErrorKind::invalid_input, "this is not an SSH public key");
    return listed;
}

// A half-written key after a power cut would be the server's identity for ever.
void generate(const std::filesystem::path& file, const std::string& type) {
    const base::TempDir draft("new-", file.parent_path());
    const auto made = draft.path() / "key";
    const auto result = ssh_keygen({"-q", "-t", type, "-b", type == "rsa" ? "3072" : "256", "-N",
                                    "", "-C", "slipway", "-f", made.string()});
    if (!result.status.ok())
        throw Error(ErrorKind::internal, "ssh-keygen could not make a host key: " +
                                             base::printable(base::trim(result.error)));
    for (const auto& half : {made, std::filesystem::path(made.string() + ".pub")})
        if (::fsync(base::open_file(half, O_RDONLY).get()) != 0)
            base::throw_errno("could not sync " + half.string());
    std::filesystem::rename(made.string() + ".pub", file.string() + ".pub");
    std::filesystem::rename(made, file);
    if (::fsync(base::open_file(file.parent_path(), O_RDONLY | O_DIRECTORY).get()) != 0)
        base::throw_errno("could not sync " + file.parent_path().string());
}

} // namespace

std::vector<HostKey> open_host_keys(const std::filesystem::path& directory) {
    std::vector<HostKey> keys;
    for (const std::string type : {"ed25519", "rsa"}) {
        const auto file = directory / ("ssh_host_" + type + "_key");
        if (!std::filesystem::exists(file)) generate(file, type);
        const auto listing = ssh_keygen({"-l", "-E", "sha256", "-f", file.string()});
        if (!listing.status.ok())
            throw Error(ErrorKind::internal, "the host key " + file.string() + " cannot be read",
                        "Move it away; the next start makes a new one.");
        keys.push_back({file, parse_listing(listing.output).fingerprint});
    }
    return keys;
}

PublicKey parse_public_key(std::string_view text) {
    const auto line = base::trim(text);
    if (line.find("PRIVATE KEY") != std::string::npos)
        throw Error(ErrorKind::invalid_input, "this is a private key",
                    "Give the .pub file beside it.");
    if (line.find('\n') != std::string::npos || line.size() > 16384)
        throw Error(ErrorKind::invalid_input, "one public key on one line is expected");
    std::istringstream words(line);
    PublicKey key;
    std::string blob;
    words >> key.type >> blob;
    if (std::find(key_types.begin(), key_types.end(), key.type) == key_types.end())
        throw Error(ErrorKind::invalid_input,
                    "this is not an SSH public key of a type that is taken",
                    "Make one with: ssh-keygen -t ed25519");
    key.text = key.type + " " + blob;
    const auto listing = ssh_keygen({"-l", "-E", "sha256", "-f", "-"}, key.text + "\n");
    if (!listing.status.ok())
        throw Error(ErrorKind::invalid_input, "this is not a valid SSH public key");
    const auto listed = parse_listing(listing.output);
    if (key.type == "ssh-rsa" && listed.bits < least_rsa_bits)
        throw Error(ErrorKind::invalid_input,
                    "an RSA key of " + std::to_string(listed.bits) + " bits is too weak",
                    "Make a new one with: ssh-keygen -t ed25519");
    key.fingerprint = listed.fingerprint;
    return key;
}

} // namespace server
