#include "ssh/git_command.h"

#include "base/error.h"

#include <cstdlib>
#include <fcntl.h>
#include <utility>
#include <vector>

namespace receiver {
namespace {

using Setting = std::pair<std::string, std::string>;

std::vector<Setting> settings_for(Service service, const Options& options) {
    std::vector<Setting> settings{
        // The repositories belong to the server's user, not to the one that we run as.
        {"safe.directory", "*"},
        {"core.hooksPath", options.hooks.string()},
        {"transfer.hideRefs", "refs/slipway"},
        {"gc.auto", "0"},
    };
    if (service == Service::upload_pack) return settings;
    const std::vector<Setting> receiving{
        {"receive.fsckObjects", "true"},
        // What old versions of other tools wrote into many honest histories.
        {"receive.fsck.badTimezone", "warn"},
        {"receive.fsck.missingSpaceBeforeDate", "warn"},
        {"receive.fsck.zeroPaddedFilemode", "warn"},
        {"receive.maxInputSize", std::to_string(options.max_pack_bytes)},
        // A push stays one pack: no process to unpack it, one fsync, and housekeeping is not ours.
        {"receive.unpackLimit", "1"},
        {"receive.autogc", "false"},
        {"receive.shallowUpdate", "true"},
        {"receive.keepAlive", "5"},
        {"receive.denyNonFastForwards", "false"},
        {"receive.advertisePushOptions", "true"},
        // An acknowledged push survives a power cut, its ref included.
        {"core.fsync", "objects,derived-metadata,reference"},
    };
    settings.insert(settings.end(), receiving.begin(), receiving.end());
    return settings;
}

std::vector<std::string> environment_for(Service service, const Opened& opened,
                                         const std::string& git_protocol, const Options& options) {
    const char* path = std::getenv("PATH");
    std::vector<std::string> environment{
        std::string("PATH=") + (path ? path : "/usr/local/bin:/usr/bin:/bin"),
        "HOME=/nonexistent",
        "GIT_CONFIG_NOSYSTEM=1",
        "GIT_CONFIG_GLOBAL=/dev/null",
    };
    if (!git_protocol.empty()) environment.push_back("GIT_PROTOCOL=" + git_protocol);
    const auto settings = settings_for(service, options);
    environment.push_back("GIT_CONFIG_COUNT=" + std::to_string(settings.size()));
    for (std::size_t i = 0; i < settings.size(); ++i) {
        const auto number = std::to_string(i);
        environment.push_back("GIT_CONFIG_KEY_" + number + "=" + settings[i].first);
        environment.push_back("GIT_CONFIG_VALUE_" + number + "=" + settings[i].second);
    }
    if (service == Service::receive_pack) {
        environment.push_back("SLIPWAY_DOOR=" + options.door.string());
        environment.push_back("SLIPWAY_PUSH=" + opened.push);
    }
    return environment;
}

// A pack moves in large pieces. Past the user's quota the kernel says no, and 64 KiB will do.
constexpr int pipe_bytes = 256 * 1024;

base::Pipe make_wide_pipe() {
    auto pipe = base::make_pipe();
    ::fcntl(pipe.write.get(), F_SETPIPE_SZ, pipe_bytes);
    return pipe;
}

void set_nonblocking(int fd) {
    if (::fcntl(fd, F_SETFL, ::fcntl(fd, F_GETFL) | O_NONBLOCK) != 0)
        base::throw_errno("could not prepare a pipe");
}

} // namespace

RunningGit start_git(Service service, const Opened& opened, const std::string& git_protocol,
                     const Options& options) {
    auto input = make_wide_pipe();
    auto output = make_wide_pipe();
    auto error = base::make_pipe();
    for (const int ours : {input.write.get(), output.read.get(), error.read.get()})
        set_nonblocking(ours);
    base::Command command;
    command.argv = {"git", service == Service::receive_pack ? "receive-pack" : "upload-pack"};
    if (service == Service::upload_pack) command.argv.push_back("--strict");
    command.argv.push_back(opened.repository.string());
    command.environment = environment_for(service, opened, git_protocol, options);
    command.descriptors = {{0, input.read.get()}, {1, output.write.get()}, {2, error.write.get()}};
    return RunningGit{.process = base::Process::start(command),
                      .input = std::move(input.write),
                      .output = std::move(output.read),
                      .error = std::move(error.read)};
}

} // namespace receiver
