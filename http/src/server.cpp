#include "http/server.h"

#include "connection.h"
#include "reply_text.h"
#include "request_reader.h"
#include "served_exchange.h"
#include "stream.h"
#include "tls.h"

#include "base/log.h"
#include "base/task_group.h"
#include "base/text.h"

#include <atomic>
#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <fmt/core.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <system_error>
#include <unistd.h>
#include <utility>

namespace http {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::chrono::milliseconds shortage_pause{100};
constexpr int client_left = 499;

bool is_shortage(int error) {
    return error == EMFILE || error == ENFILE || error == ENOBUFS || error == ENOMEM;
}

bool is_local(int socket) {
    int family = 0;
    socklen_t size = sizeof family;
    return ::getsockopt(socket, SOL_SOCKET, SO_DOMAIN, &family, &size) == 0 && family == AF_UNIX;
}

} // namespace

struct Server::State {
    State(base::UniqueFd given_listener, Settings given)
        : listener(std::move(given_listener)), settings(std::move(given)),
          tls(settings.tls ? std::make_unique<TlsContext>(*settings.tls) : nullptr),
          admission(settings.limits), local(is_local(listener.get())), seed(base::random_hex(4)) {}

    // All that the requests of one connection have in common.
    struct Guest {
        std::string address;
        std::optional<uid_t> uid;
        std::unique_ptr<SocketConnection> connection;
    };

    void accept_one(const base::Stop& stop);
    void refuse(base::UniqueFd socket, const std::string& address);
    void serve(Guest guest, const base::Stop& stop, const base::Stop& end);
    bool answer_one(Stream& stream, RequestReader& reader, const Guest& guest,
                    const base::Stop& stop, const base::Stop& end);
    bool answer(ServedExchange& exchange, Stream& stream, const base::Stop& end);
    void answer_bad_request(Stream& stream, const BadRequest& error, const RequestHead& head);
    Reply reply_to(const base::Error& error, const RequestHead& head);
    void report(const RequestHead& head, int status, Clock::time_point began);

    base::UniqueFd listener;
    const Settings settings;
    const std::unique_ptr<TlsContext> tls; // the accepting thread's
    Admission admission;
    const bool local;
    const std::string seed; // of the requests' ids
    std::atomic<std::uint64_t> requests = 0;
    base::UniqueFd ended{::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)}; // a connection's thread ended
    std::atomic<std::size_t> serving = 0;
    base::TaskGroup threads; // the last member: it uses all the others
};

Server::Server(base::UniqueFd listener, Settings settings)
    : state_(std::make_unique<State>(std::move(listener), std::move(settings))) {
    if (!state_->ended) base::throw_errno("could not make an eventfd");
    const int flags = ::fcntl(state_->listener.get(), F_GETFL);
    ::fcntl(state_->listener.get(), F_SETFL, flags | O_NONBLOCK);
}

Server::~Server() = default;

std::size_t Server::connections() const noexcept {
    return state_->admission.count();
}

void Server::run(const base::Stop& stop, const base::Stop& end) {
    while (stop.wait_for(state_->listener.get(), POLLIN)) state_->accept_one(stop);
    state_->listener.reset(); // strangers are told at once
    while (state_->serving > 0 && end.wait_for(state_->ended.get(), POLLIN)) {
        std::uint64_t count = 0;
        [[maybe_unused]] const auto read = ::read(state_->ended.get(), &count, sizeof count);
    }
    state_->threads.request_stop();
    state_->threads.join();
}

void Server::State::accept_one(const base::Stop& stop) {
    base::UniqueFd socket(
        ::accept4(listener.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
    if (!socket) {
        if (!is_shortage(errno)) return; // that client is gone
        base::log::warning("a connection waits: the server is short of descriptors or memory",
                           {{"reason", std::strerror(errno)}});
        stop.wait(shortage_pause);
        return;
    }
    Guest guest;
    if (local) {
        ucred peer{};
        socklen_t size = sizeof peer;
        if (::getsockopt(socket.get(), SOL_SOCKET, SO_PEERCRED, &peer, &size) != 0) return;
        guest.uid = peer.uid;
    } else {
        const int on = 1;
        ::setsockopt(socket.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
        guest.address = peer_address(socket.get());
        if (guest.address.empty()) return; // gone already
    }
    const bool many = settings.proxies.addresses.contains(guest.address);
    auto place = admission.admit(many ? std::string() : guest.address);
    if (!place) return refuse(std::move(socket), guest.address);
    guest.connection =
        tls ? tls->accept(std::move(socket), std::move(place))
            : std::make_unique<SocketConnection>(std::move(socket), std::move(place));
    ++serving;
    try {
        // std::function copies what it holds
        auto held = std::make_shared<Guest>(std::move(guest));
        threads.start([this, held, stop](const base::Stop& end) {
            serve(std::move(*held), stop, end);
            --serving;
            const std::uint64_t one = 1;
            [[maybe_unused]] const auto written = ::write(ended.get(), &one, sizeof one);
        });
    } catch (const std::system_error& failure) {
        --serving;
        base::log::warning("a connection was dropped: no thread could be started for it",
                           {{"reason", failure.what()}});
        stop.wait(shortage_pause);
    }
}

// Said without waiting: a full server has no time for one more slow client.
void Server::State::refuse(base::UniqueFd socket, const std::string& address) {
    RequestHead head;
    head.peer = address;
    const auto reply = reply_to(BadRequest(503, base::ErrorKind::unavailable,
                                           "the server has as many connections as it takes",
                                           "Try again in a moment."),
                                head);
    if (!settings.tls) {
        SocketConnection connection(std::move(socket), nullptr);
        char dropped[4096];
        connection.try_read(dropped, sizeof dropped); // unread bytes would reset the answer
        const auto text =
            render_head({.status = 503, .length = reply.body.size(), .keep_alive = false},
                        reply.headers) +
            reply.body;
        connection.try_write(text);
        ::shutdown(connection.fd(), SHUT_WR);
    }
    report(head, 503, Clock::now());
}

void Server::State::serve(Guest guest, const base::Stop& stop, const base::Stop& end) {
    try {
        Stream stream(std::move(guest.connection), settings.limits, end);
        RequestReader reader(stream, settings.limits);
        auto patience = settings.limits.header_time;
        while (reader.has_more() || stream.wait_for_request(stop.within(patience))) {
            if (!answer_one(stream, reader, guest, stop, end)) return;
            patience = settings.limits.idle_time;
        }
    } catch (const std::exception& failure) {
        base::log::warning("a connection ended by a failure", {{"reason", failure.what()}});
    }
}

// False: the connection is over.
bool Server::State::answer_one(Stream& stream, RequestReader& reader, const Guest& guest,
                               const base::Stop& stop, const base::Stop& end) {
    RequestHead head;
    head.id = seed + fmt::format("{:08x}", static_cast<std::uint32_t>(++requests));
    head.peer = guest.address;
    head.peer_uid = guest.uid;
    head.tls = settings.tls.has_value();
    try {
        if (!reader.read_head(head, end)) return false;
    } catch (const BadRequest& error) {
        answer_bad_request(stream, error, head);
        return false;
    }
    head.peer = client_of(head, settings.proxies);
    ServedExchange exchange(stream, reader, head, !stop.requested());
    const auto began = Clock::now();
    const bool goes_on = answer(exchange, stream, end);
    const bool left = stream.is_broken() && !exchange.is_finished();
    report(head, left || exchange.status() == 0 ? client_left : exchange.status(), began);
    if (exchange.is_taken()) return false;
    try {
        if (goes_on && exchange.settle()) return true;
    } catch (const base::Error&) {
        return false; // what was left of a body did not come
    }
    if (exchange.is_finished()) stream.linger();
    return false;
}

bool Server::State::answer(ServedExchange& exchange, Stream& stream, const base::Stop& end) {
    const auto fail = [&](const base::Error& error) {
        // A cut answer shows itself by its missing end.
        if (exchange.is_started() || stream.is_broken()) return false;
        try {
            exchange.send(reply_to(error, exchange.head()));
            return true;
        } catch (const base::Error&) {
            return false;
        }
    };
    try {
        settings.handler(exchange, end);
        if (!exchange.is_started())
            throw base::Error(base::ErrorKind::internal, "the request got no answer");
        exchange.finish();
        return true;
    } catch (const base::Error& error) {
        return fail(error);
    } catch (const std::exception& failure) {
        return fail(base::Error(base::ErrorKind::internal, failure.what()));
    }
}

void Server::State::answer_bad_request(Stream& stream, const BadRequest& error,
                                       const RequestHead& head) {
    const auto reply = reply_to(error, head);
    const auto text = render_head(
        {.status = reply.status, .length = reply.body.size(), .keep_alive = false}, reply.headers);
    try {
        stream.write(head.method == "HEAD" ? text : text + reply.body);
        stream.linger();
    } catch (const base::Error&) {
        // Who sends no request may not wait for an answer either.
    }
    report(head, reply.status, Clock::now());
}

Reply Server::State::reply_to(const base::Error& error, const RequestHead& head) {
    auto reply = settings.on_error(error, head);
    if (const auto* bad = dynamic_cast<const BadRequest*>(&error)) reply.status = bad->status();
    return reply;
}

void Server::State::report(const RequestHead& head, int status, Clock::time_point began) {
    if (settings.on_answer)
        settings.on_answer(
            head, status,
            std::chrono::duration_cast<std::chrono::microseconds>(Clock::now() - began));
}

} // namespace http
