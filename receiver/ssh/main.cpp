// slipway-ssh: one SSH connection, from the accepted socket to the end of one git command.
#include "base/error.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/text.h"
#include "receiver/app_name.h"
#include "receiver/git_request.h"
#include "receiver/pkt_line.h"
#include "receiver/ssh_command.h"
#include "ssh/conversation.h"
#include "ssh/front.h"
#include "ssh/git_command.h"
#include "ssh/options.h"
#include "ssh/pump.h"

#include <csignal>
#include <cstring>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

namespace {

using namespace receiver;
using base::Error;
using base::ErrorKind;

constexpr std::size_t longest_host_key = 16384;
constexpr std::chrono::seconds request_timeout{60}; // from the login to a command
constexpr std::chrono::seconds daemon_timeout{30};
constexpr const char* unreachable = "Slipway is not reachable right now. Try again in a moment.";

base::StopSource& stop_source() {
    static base::StopSource source;
    return source;
}

// No core file with a host key in it, no other process of this user that reads our memory, and
// nothing that git or a hook executes gains a right.
void harden() {
    const rlimit none{0, 0};
    ::setrlimit(RLIMIT_CORE, &none);
    ::prctl(PR_SET_DUMPABLE, 0);
    ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
    ::umask(022); // the build's worker reads the quarantine as another user
    std::signal(SIGPIPE, SIG_IGN);
    stop_source();
    std::signal(SIGTERM, [](int) { stop_source().request(); });
}

// All connections share one open file for each key, so its offset is not ours to move.
std::string read_host_key(int fd) {
    const base::UniqueFd owned(fd);
    std::string text(longest_host_key, '\0');
    const auto n = ::pread(fd, text.data(), text.size(), 0);
    if (n >= 0)
        text.resize(static_cast<std::size_t>(n));
    else if (errno == ESPIPE)
        text = base::read_to_end(fd, longest_host_key);
    else
        base::throw_errno("could not read a host key");
    return text;
}

// A peer that vanished is noticed within minutes even when nobody has anything to say.
void watch_peer(int socket) {
    const int on = 1, idle = 60, interval = 20, probes = 4;
    const unsigned unacknowledged_ms = 150'000;
    ::setsockopt(socket, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on);
    ::setsockopt(socket, IPPROTO_TCP, TCP_KEEPIDLE, &idle, sizeof idle);
    ::setsockopt(socket, IPPROTO_TCP, TCP_KEEPINTVL, &interval, sizeof interval);
    ::setsockopt(socket, IPPROTO_TCP, TCP_KEEPCNT, &probes, sizeof probes);
    ::setsockopt(socket, IPPROTO_TCP, TCP_USER_TIMEOUT, &unacknowledged_ms,
                 sizeof unacknowledged_ms);
}

std::string peer_of(int socket) {
    sockaddr_storage address{};
    socklen_t size = sizeof address;
    char host[NI_MAXHOST] = "unknown";
    if (::getpeername(socket, reinterpret_cast<sockaddr*>(&address), &size) == 0)
        ::getnameinfo(reinterpret_cast<sockaddr*>(&address), size, host, sizeof host, nullptr, 0,
                      NI_NUMERICHOST);
    return host;
}

enum class To { output, error };

void say(Front& front, To where, const std::string& text) {
    const auto size = static_cast<std::uint32_t>(text.size());
    if (where == To::output)
        ssh_channel_write(front.channel(), text.data(), size);
    else
        ssh_channel_write_stderr(front.channel(), text.data(), size);
}

int refuse(Front& front, const std::string& text) {
    say(front, To::output, error_packet(text));
    return 1;
}

int greet(Front& front, const Options& options) {
    const auto address = options.address.empty() ? "ssh://git@HOST:PORT" : options.address;
    say(front, To::error,
        "Hi " + base::printable(front.identity().user) +
            ", you are connected to Slipway. There is no shell here.\n"
            "Push with: git push " +
            address +
            "/APP.git main\n"
            "What else there is: ssh ... help\n");
    return 0;
}

int serve_git(Front& front, Door& door, const GitRequest& request, const Options& options,
              const base::Stop& stop) {
    const auto& who = front.identity();
    const auto app = parse_app_path(request.path);
    std::optional<Opened> opened;
    if (app)
        opened = door.open(who.fingerprint, *app, request.service, stop.within(daemon_timeout));
    // The same words whether the app does not exist, is somebody else's or has no possible name.
    if (!opened)
        return refuse(front, "no app " + base::quoted(app.value_or(request.path)) +
                                 " that your key may use. Check the name; whoever runs this "
                                 "server can add the app or the key.");
    Pump pump(front, request.service,
              start_git(request.service, *opened, front.asked().git_protocol, options),
              options.idle_timeout);
    const int code = pump.run(stop);
    base::log::info("git ended", {{"user", who.user},
                                  {"fingerprint", who.fingerprint},
                                  {"app", *app},
                                  {"service", to_string(request.service)},
                                  {"exit_code", std::to_string(code)},
                                  {"client", pump.client_left() ? "left" : "stayed"}});
    return code;
}

int serve_command(Front& front, Door& door, const base::Stop& stop) {
    const auto command = parse_ssh_command(front.asked().command);
    if (const auto* none = std::get_if<NoCommand>(&command)) {
        for (const auto& line : none->lines) say(front, To::error, line + "\n");
        return 1;
    }
    const auto& asked = std::get<SshCommand>(command);
    const int code = run_ssh_command(front, door, asked, stop);
    base::log::info("a command ended", {{"user", front.identity().user},
                                        {"fingerprint", front.identity().fingerprint},
                                        {"verb", verb_name(asked.verb)},
                                        {"subject", asked.subject},
                                        {"exit_code", std::to_string(code)}});
    return code;
}

int serve(Front& front, Door& door, const Options& options, const base::Stop& stop) {
    if (front.asked().shell) return greet(front, options);
    const auto request = parse_git_request(front.asked().command);
    if (!request) return serve_command(front, door, stop);
    try {
        return serve_git(front, door, *request, options, stop);
    } catch (const Error& error) {
        base::log::error("a git request failed",
                         {{"user", front.identity().user}, {"reason", error.describe()}});
        return refuse(front, unreachable);
    }
}

void converse(const Options& options, const std::string& peer) {
    std::vector<std::string> host_keys;
    for (const int fd : options.host_key_fds) host_keys.push_back(read_host_key(fd));
    const auto stop = stop_source().stop();
    Door door(options.door);
    Front front(options.socket_fd, host_keys, door);
    for (auto& key : host_keys) ::explicit_bzero(key.data(), key.size());
    // Should libssh ever block where it says that it does not, the kernel keeps the promise.
    ::alarm(static_cast<unsigned>(options.login_timeout.count()) + 2);
    const bool in = front.log_in(stop.within(options.login_timeout));
    if (!in) {
        if (!front.failure().empty()) {
            base::log::error("a login failed on our side",
                             {{"peer", peer}, {"reason", front.failure()}});
            front.hang_up(unreachable);
        } else {
            base::log::info("nobody logged in", {{"peer", peer}});
            front.hang_up("No login.");
        }
        return;
    }
    ::alarm(0);
    if (!front.await_request(stop.within(request_timeout))) return front.hang_up("No request.");
    finish_channel(front, serve(front, door, options, stop), stop);
    front.hang_up("Bye.");
}

} // namespace

int main(int argc, char** argv) {
    base::log::open("slipway-ssh", base::log::Level::info);
    try {
        const auto options = parse_options(argc, argv);
        harden();
        ::fcntl(options.socket_fd, F_SETFD, FD_CLOEXEC);
        watch_peer(options.socket_fd);
        converse(options, peer_of(options.socket_fd));
        return 0;
    } catch (const Error& error) {
        base::log::error("the connection ended early", {{"reason", error.describe()}});
    } catch (const std::exception& error) {
        base::log::error("the connection ended early", {{"reason", error.what()}});
    }
    return 1;
}
