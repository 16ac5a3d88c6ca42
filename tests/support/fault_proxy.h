// A proxy in this process that stands in front of a real server and does to one request what a bad
// network, a tired server or a liar would do. One request a connection. The test's thread owns it;
// the plan runs on its threads, so it counts and does not assert.
#pragma once

#include "listening_socket.h"

#include "base/error.h"
#include "base/fd.h"
#include "base/guarded.h"
#include "base/task_group.h"

#include <algorithm>
#include <arpa/inet.h>
#include <functional>
#include <netinet/in.h>
#include <optional>
#include <poll.h>
#include <string>
#include <sys/socket.h>
#include <tuple>
#include <vector>

class FaultProxy {
  public:
    struct Request {
        std::string method, target;
        std::string head; // with its request line
    };
    // What happens to one request. Bytes are counted from the beginning of the body.
    struct Fault {
        std::string answer = {}; // given at once, instead of the server's; the body is thrown away
        std::optional<std::size_t> cut_request = {};  // the server sees a client that vanished
        std::optional<std::size_t> cut_answer = {};   // the client sees a server that vanished
        std::optional<std::size_t> flip_request = {}; // this byte arrives with other bits
        std::optional<std::size_t> flip_answer = {};
        bool lose_answer = false;         // the server did what was asked, and nobody learns it
        std::size_t bytes_per_second = 0; // of the answer's body
        std::function<std::string(std::string head)> rewrite = {}; // of the answer's head
    };
    using Plan = std::function<Fault(const Request&)>;

    // upstream: "127.0.0.1:PORT", plain HTTP.
    FaultProxy(const std::string& upstream, Plan plan)
        : plan_(std::move(plan)), upstream_(address(upstream)) {
        std::tie(listener_, port_) = listen_at("127.0.0.1");
        acceptor_.start([this](const base::Stop& stop) { accept_all(stop); });
    }

    std::string host() const { return "127.0.0.1:" + std::to_string(port_); }
    std::vector<Request> requests() { return *requests_.lock(); }
    int count(const std::string& method) {
        const auto seen = requests();
        return static_cast<int>(std::count_if(
            seen.begin(), seen.end(), [&](const auto& one) { return one.method == method; }));
    }

  private:
    // One direction of a connection: what is still to be done to its bytes.
    struct Flow {
        int from, to;
        std::optional<std::size_t> cut, flip;
        std::size_t seen = 0;
    };

    static sockaddr_in address(const std::string& host) {
        const auto colon = host.find(':');
        sockaddr_in name{};
        name.sin_family = AF_INET;
        name.sin_port = htons(static_cast<uint16_t>(std::stoi(host.substr(colon + 1))));
        ::inet_pton(AF_INET, host.substr(0, colon).c_str(), &name.sin_addr);
        return name;
    }

    void accept_all(const base::Stop& stop) {
        base::TaskGroup connections;
        while (stop.wait_for(listener_.get(), POLLIN)) {
            const int fd = ::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC);
            if (fd < 0) continue;
            connections.start([this, fd](const base::Stop& ending) {
                const base::UniqueFd client(fd);
                try {
                    serve(fd, ending);
                } catch (const base::Error&) { // one of the two went away
                }
            });
        }
    }

    static std::string read_head(int fd, std::string& rest, const base::Stop& stop) {
        std::string bytes;
        for (std::size_t end; stop.wait_for(fd, POLLIN);) {
            char buffer[65536];
            const auto n = base::read_some(fd, buffer, sizeof buffer);
            if (n == 0) return {};
            bytes.append(buffer, n);
            if ((end = bytes.find("\r\n\r\n")) == bytes.npos) continue;
            rest = bytes.substr(end + 4);
            return bytes.substr(0, end + 4);
        }
        return {};
    }

    static void send(int fd, std::string_view bytes) {
        while (!bytes.empty()) {
            const auto n = ::send(fd, bytes.data(), bytes.size(), MSG_NOSIGNAL);
            if (n <= 0) base::throw_errno("nobody reads");
            bytes.remove_prefix(static_cast<std::size_t>(n));
        }
    }

    // Every connection is for one request, on both sides.
    static std::string closing(std::string head) {
        return head.insert(head.find("\r\n") + 2, "Connection: close\r\n");
    }

    // False: this direction is to end here.
    static bool pass(Flow& flow, std::string bytes) {
        if (flow.flip && *flow.flip >= flow.seen && *flow.flip < flow.seen + bytes.size())
            bytes[*flow.flip - flow.seen] ^= 0x20;
        const bool ends = flow.cut && flow.seen + bytes.size() >= *flow.cut;
        if (ends) bytes.resize(*flow.cut - flow.seen);
        flow.seen += bytes.size();
        send(flow.to, bytes);
        return !ends;
    }
    static bool pass_more(Flow& flow, std::size_t most = 65536) {
        std::string bytes(most, '\0');
        bytes.resize(base::read_some(flow.from, bytes.data(), bytes.size()));
        return !bytes.empty() && pass(flow, std::move(bytes));
    }

    // A server that answers early reads on for a while; closing at once would lose the answer.
    static void answer_early(int client, const std::string& answer, const base::Stop& stop) {
        send(client, closing(answer));
        ::shutdown(client, SHUT_WR);
        std::string thrown_away(65536, '\0');
        while (stop.wait_for(client, POLLIN) &&
               base::read_some(client, thrown_away.data(), thrown_away.size()) > 0) {
        }
    }

    void serve(int client, const base::Stop& stop) {
        std::string body;
        Request request;
        request.head = read_head(client, body, stop);
        if (request.head.empty()) return;
        const auto first = request.head.find(' '), second = request.head.find(' ', first + 1);
        request.method = request.head.substr(0, first);
        request.target = request.head.substr(first + 1, second - first - 1);
        requests_.lock()->push_back(request);
        const Fault fault = plan_(request);
        if (!fault.answer.empty()) return answer_early(client, fault.answer, stop);

        const base::UniqueFd server(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
        if (::connect(server.get(), reinterpret_cast<const sockaddr*>(&upstream_),
                      sizeof upstream_) != 0)
            base::throw_errno("could not connect");
        send(server.get(), closing(request.head));
        Flow up{client, server.get(), fault.cut_request, fault.flip_request};
        if (fault.cut_request == 0 || (!body.empty() && !pass(up, body))) return;
        std::string answer = await_answer(up, server.get(), stop);
        if (answer.empty() || fault.lose_answer) return;
        const auto end = answer.find("\r\n\r\n") + 4;
        std::string head = answer.substr(0, end);
        if (fault.rewrite) head = fault.rewrite(head);
        send(client, head);
        Flow down{server.get(), client, fault.cut_answer, fault.flip_answer};
        if (fault.cut_answer == 0 || (end < answer.size() && !pass(down, answer.substr(end))))
            return;
        const std::size_t step = fault.bytes_per_second ? fault.bytes_per_second / 10 : 65536;
        while (stop.wait_for(server.get(), POLLIN) && pass_more(down, step))
            if (fault.bytes_per_second && stop.wait(std::chrono::milliseconds(100))) return;
    }

    // Carries the request's body until the server speaks: its head, and what came with it.
    std::string await_answer(Flow& up, int server, const base::Stop& stop) {
        for (bool sends = true;;) {
            pollfd ready[3] = {{server, POLLIN, 0}, {stop.fd(), POLLIN, 0}, {up.from, POLLIN, 0}};
            if (::poll(ready, sends ? 3 : 2, -1) < 0 && errno != EINTR) return {};
            if (ready[1].revents != 0) return {};
            if (ready[0].revents != 0) break;
            if (sends && ready[2].revents != 0 && !pass_more(up)) {
                if (up.cut && up.seen >= *up.cut) return {};
                sends = false; // the client has no more to say
            }
        }
        std::string rest;
        const std::string head = read_head(server, rest, stop);
        return head.empty() ? head : head + rest;
    }

    const Plan plan_;
    const sockaddr_in upstream_;
    base::UniqueFd listener_;
    int port_ = 0;
    base::Guarded<std::vector<Request>> requests_;
    base::TaskGroup acceptor_; // last: ends before what it uses
};
