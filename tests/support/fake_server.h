// An HTTP server in this process that answers what a test says, on plain sockets: for faults that
// no real server produces on demand. The test's thread owns it; the handler runs on its threads,
// so it records and does not assert.
#pragma once

#include "base/error.h"
#include "base/fd.h"
#include "base/guarded.h"
#include "base/task_group.h"

#include <algorithm>
#include <arpa/inet.h>
#include <cstdlib>
#include <functional>
#include <map>
#include <netinet/in.h>
#include <poll.h>
#include <string>
#include <sys/socket.h>
#include <sys/un.h>
#include <vector>

class FakeServer {
  public:
    struct Request {
        std::string method, target;
        std::map<std::string, std::string> headers; // names in lower case
        std::string body;
        std::string header(const std::string& name) const {
            const auto found = headers.find(name);
            return found == headers.end() ? "" : found->second;
        }
    };
    // The raw answer. Empty: the connection is closed. hang(): it stays open, silent.
    using Handler = std::function<std::string(const Request&)>;

    // address: numeric, or the path of a local socket.
    explicit FakeServer(Handler handler, const std::string& address = "127.0.0.1")
        : handler_(std::move(handler)), address_(address),
          listener_(::socket(address.starts_with('/') ? AF_UNIX : AF_INET,
                             SOCK_STREAM | SOCK_CLOEXEC, 0)) {
        address.starts_with('/') ? listen_at_path() : listen_at_port();
        acceptor_.start([this](const base::Stop& stop) { accept_all(stop); });
    }

    std::string host() const { return address_ + ":" + std::to_string(port_); }
    std::string url(const std::string& path = "/") const { return "http://" + host() + path; }
    std::vector<Request> requests() { return *requests_.lock(); }
    int connections() { return *connections_.lock(); }

    static std::string answer(int status, std::vector<std::string> headers = {},
                              const std::string& body = {}) {
        std::string text = "HTTP/1.1 " + std::to_string(status) + " Some Reason\r\n";
        for (const auto& header : headers) text += header + "\r\n";
        return text + "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body;
    }
    static std::string hang() { return "hang"; }

  private:
    void listen_at_path() {
        sockaddr_un name{};
        name.sun_family = AF_UNIX;
        address_.copy(name.sun_path, sizeof name.sun_path - 1);
        if (::bind(listener_.get(), reinterpret_cast<sockaddr*>(&name), sizeof name) != 0 ||
            ::listen(listener_.get(), 64) != 0)
            base::throw_errno("could not listen");
    }

    void listen_at_port() {
        sockaddr_in name{};
        name.sin_family = AF_INET;
        ::inet_pton(AF_INET, address_.c_str(), &name.sin_addr);
        if (::bind(listener_.get(), reinterpret_cast<sockaddr*>(&name), sizeof name) != 0 ||
            ::listen(listener_.get(), 64) != 0)
            base::throw_errno("could not listen");
        socklen_t size = sizeof name;
        ::getsockname(listener_.get(), reinterpret_cast<sockaddr*>(&name), &size);
        port_ = ntohs(name.sin_port);
    }

    void accept_all(const base::Stop& stop) {
        base::TaskGroup connections;
        while (stop.wait_for(listener_.get(), POLLIN)) {
            const int fd = ::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC);
            if (fd < 0) continue;
            ++*connections_.lock();
            connections.start([this, fd](const base::Stop& ending) {
                const base::UniqueFd connection(fd);
                try {
                    while (serve(fd, ending)) {
                    }
                } catch (const base::Error&) { // the client went away
                }
            });
        }
    }

    // False: the connection is over.
    bool read_more(int fd, std::string& bytes, const base::Stop& stop) {
        if (!stop.wait_for(fd, POLLIN)) return false;
        char buffer[65536];
        const auto n = base::read_some(fd, buffer, sizeof buffer);
        bytes.append(buffer, n);
        return n > 0;
    }

    bool serve(int fd, const base::Stop& stop) {
        std::string bytes;
        while (bytes.find("\r\n\r\n") == bytes.npos)
            if (!read_more(fd, bytes, stop) || bytes.front() == '\x16') return false; // TLS
        const auto end = bytes.find("\r\n\r\n");
        Request request;
        std::string head = bytes.substr(0, end + 2);
        request.body = bytes.substr(end + 4);
        const auto first = head.find(' '), second = head.find(' ', first + 1);
        request.method = head.substr(0, first);
        request.target = head.substr(first + 1, second - first - 1);
        for (auto line = head.find("\r\n") + 2; line < head.size();) {
            const auto stop_at = head.find("\r\n", line);
            const auto colon = head.find(':', line);
            std::string name = head.substr(line, colon - line);
            std::transform(name.begin(), name.end(), name.begin(),
                           [](char c) { return c >= 'A' && c <= 'Z' ? char(c + 32) : c; });
            request.headers[name] = head.substr(colon + 2, stop_at - colon - 2);
            line = stop_at + 2;
        }
        const auto length = std::strtoul(request.header("content-length").c_str(), nullptr, 10);
        while (request.body.size() < length)
            if (!read_more(fd, request.body, stop)) return false;
        requests_.lock()->push_back(request);
        const std::string reply = handler_(request);
        if (reply == hang()) {
            stop.wait_for(fd, POLLIN);
            return false;
        }
        if (reply.empty()) return false;
        ::send(fd, reply.data(), reply.size(), MSG_NOSIGNAL);
        return reply.find("\r\nConnection: close\r\n") == reply.npos;
    }

    Handler handler_;
    std::string address_;
    base::UniqueFd listener_;
    int port_ = 0;
    base::Guarded<std::vector<Request>> requests_;
    base::Guarded<int> connections_{0};
    base::TaskGroup acceptor_; // last: ends before what it uses
};
