#include "ssh_listener.h"

#include "base/error.h"
#include "base/log.h"

#include <algorithm>
#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>

namespace server {

using base::Error;

void SshListener::run(const base::Stop& accepting, const base::Stop& end) {
    while (!end.requested()) {
        if (accepting.requested()) {
            listener_.fd.reset();
            if (connections_.empty()) return;
        }
        wait(accepting, end);
        reap();
        if (listener_.fd && !accepting.requested()) accept_one();
    }
}

void SshListener::note_authenticated(pid_t child) {
    authenticated_.lock()->insert(child);
}

void SshListener::wait(const base::Stop& accepting, const base::Stop& end) {
    std::vector<pollfd> fds{{listener_.fd.get(), POLLIN, 0},
                            {accepting.requested() ? -1 : accepting.fd(), POLLIN, 0},
                            {end.fd(), POLLIN, 0}};
    for (const auto& connection : connections_) fds.push_back({connection.process.fd(), POLLIN, 0});
    ::poll(fds.data(), fds.size(), -1);
}

void SshListener::reap() {
    connections_.remove_if([&](Connection& connection) {
        pollfd fd{connection.process.fd(), POLLIN, 0};
        if (::poll(&fd, 1, 0) <= 0) return false;
        const auto status = connection.process.wait();
        authenticated_.lock()->erase(connection.process.pid());
        if (status->signal != 0)
            base::log::warning("an ssh connection's process died",
                               {{"from", connection.from}, {"status", status->describe()}});
        return true;
    });
}

void SshListener::accept_one() {
    auto accepted = accept_on(listener_.fd.get());
    if (accepted.exhausted) base::Stop{}.wait(std::chrono::milliseconds(100));
    if (!accepted.fd) return;
    if (const auto why = refusal(accepted.from); !why.empty()) {
        // RFC 4253 section 4.2 lets a server say lines before its version.
        const std::string line = why + "\r\n";
        ::send(accepted.fd.get(), line.data(), line.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
        base::log::warning("an ssh connection was refused",
                           {{"from", accepted.from}, {"why", why}});
        return;
    }
    try {
        connections_.push_back({start(accepted.fd.get()), accepted.from});
    } catch (const Error& error) {
        base::log::error("an ssh connection could not be served",
                         {{"from", accepted.from}, {"reason", error.describe()}});
        base::Stop{}.wait(std::chrono::milliseconds(50));
    }
}

std::string SshListener::refusal(const std::string& from) {
    const auto same = std::count_if(connections_.begin(), connections_.end(),
                                    [&](const auto& other) { return other.from == from; });
    const auto known = *authenticated_.lock();
    std::size_t unauthenticated = 0, same_unauthenticated = 0;
    for (const auto& other : connections_) {
        if (known.contains(other.process.pid())) continue;
        ++unauthenticated;
        if (other.from == from) ++same_unauthenticated;
    }
    if (connections_.size() >= settings_.max_connections) return "Too many connections, try later";
    if (static_cast<std::size_t>(same) >= settings_.max_per_address)
        return "Too many connections from your address";
    // One address cannot keep all others out.
    if (unauthenticated >= settings_.max_unauthenticated ||
        same_unauthenticated >= std::max<std::size_t>(settings_.max_unauthenticated / 2, 1))
        return "Too many log-ins, try again";
    return {};
}

base::Process SshListener::start(int socket) const {
    base::Command command;
    command.argv = {settings_.program.string(),
                    "--socket-fd",
                    "3",
                    "--door",
                    settings_.door_socket.string(),
                    "--hooks",
                    settings_.hooks.string(),
                    "--address",
                    settings_.address,
                    "--login-timeout",
                    std::to_string(settings_.login_timeout.count()),
                    "--max-pack-bytes",
                    std::to_string(settings_.max_pack_bytes)};
    command.environment = {"PATH=/usr/local/bin:/usr/bin:/bin", "LANG=C.UTF-8"};
    command.descriptors = {{2, 2}, {3, socket}};
    command.run_as = settings_.run_as;
    // Opened anew for each child: a shared file offset would be at the end after the first.
    std::vector<base::UniqueFd> keys;
    for (const auto& file : settings_.host_keys) {
        keys.push_back(base::open_file(file, O_RDONLY));
        const int number = 3 + static_cast<int>(keys.size());
        command.descriptors[number] = keys.back().get();
        command.argv.insert(command.argv.end(), {"--host-key-fd", std::to_string(number)});
    }
    return base::Process::start(command);
}

} // namespace server
