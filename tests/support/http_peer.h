// The server under test in this process, and a client that sends exactly the bytes it is told.
// Owned by the test's thread.
#pragma once

#include "http/server.h"

#include "base/error.h"
#include "base/fd.h"
#include "base/guarded.h"
#include "base/stop.h"
#include "base/task_group.h"

#include <arpa/inet.h>
#include <chrono>
#include <cstring>
#include <map>
#include <memory>
#include <netinet/in.h>
#include <optional>
#include <poll.h>
#include <string>
#include <string_view>
#include <sys/socket.h>
#include <sys/un.h>
#include <vector>

class RunningServer {
  public:
    explicit RunningServer(http::Handler handler, http::ServerLimits limits = {},
                           std::optional<http::ServerTls> tls = {}) {
        base::UniqueFd listener(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
        sockaddr_in name{};
        name.sin_family = AF_INET;
        name.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        socklen_t size = sizeof name;
        if (::bind(listener.get(), reinterpret_cast<sockaddr*>(&name), sizeof name) != 0 ||
            ::listen(listener.get(), 1024) != 0 ||
            ::getsockname(listener.get(), reinterpret_cast<sockaddr*>(&name), &size) != 0)
            base::throw_errno("could not listen");
        port_ = ntohs(name.sin_port);
        start(std::move(listener), std::move(handler), limits, std::move(tls));
    }

    RunningServer(const std::string& local_path, http::Handler handler) {
        base::UniqueFd listener(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
        sockaddr_un name{};
        name.sun_family = AF_UNIX;
        local_path.copy(name.sun_path, sizeof name.sun_path - 1);
        if (::bind(listener.get(), reinterpret_cast<sockaddr*>(&name), sizeof name) != 0 ||
            ::listen(listener.get(), 16) != 0)
            base::throw_errno("could not listen");
        start(std::move(listener), std::move(handler), {}, {});
    }

    ~RunningServer() { stop(); }

    // Lets answers end for as long as `patience`.
    void stop(std::chrono::milliseconds patience = std::chrono::milliseconds(0)) {
        patience_.lock()->emplace(patience);
        stop_.request();
        thread_.join();
    }

    int port() const { return port_; }
    std::string url(const std::string& path = "/") const {
        return "http://127.0.0.1:" + std::to_string(port_) + path;
    }
    http::Server& server() { return *server_; }
    // (status, target) of each answer.
    std::vector<std::pair<int, std::string>> answers() { return *answers_.lock(); }

  private:
    void start(base::UniqueFd listener, http::Handler handler, http::ServerLimits limits,
               std::optional<http::ServerTls> tls) {
        http::Server::Settings settings;
        settings.limits = limits;
        settings.tls = std::move(tls);
        settings.handler = std::move(handler);
        settings.on_error = [](const base::Error& error, const http::RequestHead&) {
            const bool bad = error.kind() == base::ErrorKind::invalid_input;
            return http::Reply{.status = bad ? 400 : 500,
                               .headers = {{"Content-Type", "text/plain"}},
                               .body = std::string(base::to_string(error.kind())) + ": " +
                                       error.message() + "\n"};
        };
        settings.on_answer = [this](const http::RequestHead& head, int status, auto) {
            answers_.lock()->emplace_back(status, head.target);
        };
        server_ = std::make_unique<http::Server>(std::move(listener), std::move(settings));
        thread_.start([this](const base::Stop&) { server_->run(stop_.stop(), end_.stop()); });
        ender_.start([this](const base::Stop& over) {
            if (!stop_.stop().wait_for(over.fd(), POLLIN)) {
                const auto patience = patience_.lock()->value_or(std::chrono::milliseconds(0));
                over.wait(patience);
            }
            end_.request();
        });
    }

    int port_ = 0;
    base::Guarded<std::optional<std::chrono::milliseconds>> patience_;
    base::Guarded<std::vector<std::pair<int, std::string>>> answers_;
    base::StopSource stop_;
    base::StopSource end_;
    std::unique_ptr<http::Server> server_;
    base::TaskGroup ender_;
    base::TaskGroup thread_;
};

struct RawAnswer {
    int status = 0; // 0: there was none
    explicit operator bool() const { return status != 0; }
    std::multimap<std::string, std::string> headers; // names in lower case
    std::string body;
    std::string header(const std::string& name) const {
        const auto found = headers.find(name);
        return found == headers.end() ? "" : found->second;
    }
};

class RawClient {
  public:
    explicit RawClient(int port) : socket_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
        sockaddr_in name{};
        name.sin_family = AF_INET;
        name.sin_port = htons(static_cast<uint16_t>(port));
        name.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        if (::connect(socket_.get(), reinterpret_cast<sockaddr*>(&name), sizeof name) != 0)
            base::throw_errno("could not connect");
    }

    // False: the server has closed.
    bool send(std::string_view bytes) {
        while (!bytes.empty()) {
            const auto n = ::send(socket_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
            if (n <= 0) return false;
            bytes.remove_prefix(static_cast<std::size_t>(n));
        }
        return true;
    }

    // Waits for more; false at the end of what the server sends, or after ten seconds.
    bool receive() {
        if (!base::Stop().within(std::chrono::seconds(10)).wait_for(socket_.get(), POLLIN))
            return false;
        char buffer[65536];
        const auto n = ::recv(socket_.get(), buffer, sizeof buffer, 0);
        if (n > 0) received_.append(buffer, static_cast<std::size_t>(n));
        closed_ = closed_ || n <= 0;
        return n > 0;
    }
    bool receive_until(std::string_view text) {
        while (received_.find(text) == received_.npos)
            if (!receive()) return false;
        return true;
    }
    std::string receive_to_end() {
        while (receive()) {
        }
        return std::exchange(received_, {});
    }
    // Whether the server closed within ten seconds without another byte.
    bool is_closed() { return received_.empty() && !receive() && closed_; }

    // The next whole answer with its body (by length, chunks or the close).
    RawAnswer answer(bool to_head = false) {
        if (!receive_until("\r\n\r\n")) return {};
        RawAnswer answer;
        const auto end = received_.find("\r\n\r\n");
        answer.status = std::stoi(received_.substr(9, 3));
        std::size_t at = received_.find("\r\n") + 2;
        while (at < end) {
            const auto line = received_.substr(at, received_.find("\r\n", at) - at);
            at += line.size() + 2;
            std::string name = line.substr(0, line.find(':'));
            for (auto& c : name) c = static_cast<char>(std::tolower(c));
            answer.headers.emplace(name, line.substr(line.find(':') + 2));
        }
        received_.erase(0, end + 4);
        if (to_head || answer.status < 200 || answer.status == 204) return answer;
        if (answer.headers.count("content-length")) {
            const auto length = std::stoul(answer.header("content-length"));
            while (received_.size() < length)
                if (!receive()) return {};
            answer.body = received_.substr(0, length);
            received_.erase(0, length);
        } else if (answer.header("transfer-encoding") == "chunked") {
            if (!take_chunks(answer.body)) return {};
        } else {
            answer.body = receive_to_end();
        }
        return answer;
    }
    RawAnswer ask(std::string_view request) {
        send(request);
        return answer(request.starts_with("HEAD "));
    }

    int fd() const { return socket_.get(); }
    void close() { socket_.reset(); }
    void close_for_writing() { ::shutdown(socket_.get(), SHUT_WR); }
    // A close that the other side sees as a reset.
    void abort() {
        const linger now{1, 0};
        ::setsockopt(socket_.get(), SOL_SOCKET, SO_LINGER, &now, sizeof now);
        socket_.reset();
    }
    std::string& received() { return received_; }

  private:
    bool take_chunks(std::string& body) {
        for (;;) {
            if (!receive_until("\r\n")) return false;
            const auto line = received_.find("\r\n");
            const auto size = std::stoul(received_.substr(0, line), nullptr, 16);
            while (received_.size() < line + 2 + size + 2)
                if (!receive()) return false;
            body += received_.substr(line + 2, size);
            received_.erase(0, line + 2 + size + 2);
            if (size == 0) return true;
        }
    }

    base::UniqueFd socket_;
    std::string received_;
    bool closed_ = false;
};
