#include "ssh/pump.h"

#include "base/error.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <poll.h>
#include <unistd.h>

namespace receiver {
namespace {

constexpr std::size_t piece_bytes = 128 * 1024;
constexpr std::chrono::seconds farewell{5};
constexpr std::chrono::seconds grace{5};

bool is_gone(ssh_session session) {
    return (ssh_get_status(session) & (SSH_CLOSED | SSH_CLOSED_ERROR)) != 0;
}

bool is_writing(ssh_session session) {
    return (ssh_get_poll_flags(session) & SSH_WRITE_PENDING) != 0;
}

} // namespace

Pump::Pump(Front& front, Service service, RunningGit git, std::chrono::seconds idle_timeout)
    : front_(front), service_(service), git_(std::move(git)), idle_timeout_(idle_timeout),
      piece_(piece_bytes), inbound_(piece_bytes) {}

int Pump::run(const base::Stop& stop) {
    do {
        if (stop.requested()) {
            lose_client();
            git_.process.terminate(grace);
            break;
        }
        wait(stop);
        take_from_client();
        feed_git();
        while (carry(Stream::output, git_.output)) {
        }
        while (carry(Stream::error, git_.error)) {
        }
        // carry() ends for want of bytes or of room: with room, git's last words are on their way.
    } while (!git_ended_ || !(client_left_ || has_room()));
    const auto status = git_.process.wait();
    return status->signal ? 128 + status->signal : status->code;
}

// Sleeps until something can move, then lets libssh do its part.
void Pump::wait(const base::Stop& stop) {
    const bool room = client_left_ || has_room();
    const bool idle_input = inbound_begin_ == inbound_end_;
    const int socket = client_left_ ? -1 : ssh_get_fd(front_.session());
    if (socket >= 0) answer_quickly(socket);
    const auto events = [](bool reading, bool writing) {
        return static_cast<short>((reading ? POLLIN : 0) | (writing ? POLLOUT : 0));
    };
    // With a full piece in hand the client's next bytes may wait in its window, so the socket is
    // left alone, unless it is the client's window that we wait for.
    std::array<pollfd, 6> fds{{
        {socket, events(idle_input || !room, socket >= 0 && is_writing(front_.session())), 0},
        {git_.input.get(), events(false, !idle_input), 0},
        {room ? git_.output.get() : -1, POLLIN, 0},
        {room ? git_.error.get() : -1, POLLIN, 0},
        {git_ended_ ? -1 : git_.process.fd(), POLLIN, 0},
        {stop.fd(), POLLIN, 0},
    }};
    const int timeout = milliseconds_left();
    if (::poll(fds.data(), fds.size(), timeout) < 0 && errno != EINTR)
        base::throw_errno("could not wait for git and the client");
    if (timeout == 0) lose_client();
    if (!client_left_ && fds[0].revents != 0) let_libssh_work();
    // git closed its input (it refused the pack): what the client still sends is dropped.
    if (git_.input && (fds[1].revents & (POLLERR | POLLHUP)) != 0) git_.input.reset();
    git_ended_ = git_ended_ || fds[4].revents != 0;
}

// Until the client must be given up; -1 when there is none to give up.
int Pump::milliseconds_left() const {
    if (client_left_) return -1;
    const auto quiet = base::Stop::Clock::now() - last_progress_;
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(idle_timeout_ - quiet);
    return static_cast<int>(std::max<std::chrono::milliseconds::rep>(0, left.count()));
}

void Pump::let_libssh_work() {
    if (ssh_event_dopoll(front_.event(), 0) == SSH_ERROR || is_gone(front_.session()) ||
        !ssh_channel_is_open(front_.channel()))
        lose_client();
}

void Pump::take_from_client() {
    if (client_left_ || client_finished_ || inbound_begin_ != inbound_end_) return;
    int n = 0;
    do {
        n = ssh_channel_read_nonblocking(front_.channel(), inbound_.data(),
                                         static_cast<std::uint32_t>(inbound_.size()), 0);
        if (n > 0) note_progress();
    } while (n > 0 && !git_.input); // nobody to give it to
    if (n > 0) {
        inbound_begin_ = 0;
        inbound_end_ = static_cast<std::size_t>(n);
    } else if (n == SSH_EOF || ssh_channel_is_eof(front_.channel())) {
        client_finished_ = true;
    } else if (n == SSH_ERROR) {
        lose_client();
    }
}

void Pump::feed_git() {
    while (git_.input && inbound_begin_ != inbound_end_) {
        const auto n = ::write(git_.input.get(), inbound_.data() + inbound_begin_,
                               inbound_end_ - inbound_begin_);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0 && errno == EAGAIN) return;
        if (n < 0) git_.input.reset();
        inbound_begin_ = n < 0 ? inbound_end_ : inbound_begin_ + static_cast<std::size_t>(n);
        if (inbound_begin_ == inbound_end_) take_from_client();
    }
    if (!git_.input) inbound_begin_ = inbound_end_;
    if (client_finished_ || client_left_) git_.input.reset();
}

// The client's window has space and nothing waits in front of the socket.
bool Pump::has_room() const {
    return ssh_channel_window_size(front_.channel()) > 0 && !is_writing(front_.session());
}

// One piece from git to the client; false when there is none or no room for it.
bool Pump::carry(Stream stream, base::UniqueFd& from) {
    if (!from || (!client_left_ && !has_room())) return false;
    std::size_t most = piece_.size();
    if (!client_left_)
        most = std::min<std::size_t>(most, ssh_channel_window_size(front_.channel()));
    const auto n = ::read(from.get(), piece_.data(), most);
    if (n < 0 && errno == EINTR) return true;
    if (n < 0 && errno == EAGAIN) return false;
    if (n <= 0) {
        from.reset();
        return false;
    }
    note_progress();
    send(stream, {piece_.data(), static_cast<std::size_t>(n)});
    return true;
}

void Pump::send(Stream stream, std::string_view bytes) {
    if (client_left_) return;
    std::string held;
    if (stream == Stream::output && service_ == Service::receive_pack && !advertisement_.over())
        bytes = held = advertisement_.pass(bytes);
    if (bytes.empty()) return;
    const auto size = static_cast<std::uint32_t>(bytes.size());
    const int sent = stream == Stream::output
                         ? ssh_channel_write(front_.channel(), bytes.data(), size)
                         : ssh_channel_write_stderr(front_.channel(), bytes.data(), size);
    // Less can only be written to a client that shrank under our hands: to go on would garble it.
    if (sent < 0 || static_cast<std::uint32_t>(sent) != size) lose_client();
}

void Pump::lose_client() noexcept {
    if (client_left_) return;
    client_left_ = true;
    git_.input.reset();
    inbound_begin_ = inbound_end_;
    // Nobody is served by finishing a clone that nobody receives.
    if (service_ == Service::upload_pack) git_.process.signal(SIGTERM);
}

void finish_channel(Front& front, int exit_code, const base::Stop& stop) noexcept {
    const auto channel = front.channel();
    const auto session = front.session();
    if (is_gone(session) || !ssh_channel_is_open(channel)) return;
    ssh_channel_request_send_exit_status(channel, exit_code);
    ssh_channel_send_eof(channel);
    ssh_channel_close(channel);
    const auto patience = stop.within(farewell);
    const int socket = ssh_get_fd(session);
    while (!is_gone(session)) {
        const bool writing = is_writing(session);
        if (!patience.wait_for(socket, static_cast<short>(writing ? POLLIN | POLLOUT : POLLIN)))
            return;
        if (ssh_event_dopoll(front.event(), 0) == SSH_ERROR) return;
    }
}

} // namespace receiver
