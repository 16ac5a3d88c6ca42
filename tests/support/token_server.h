// The token server of a test (auth/token.md of distribution): gives "me" with the password "pass"
// what it asks for, in the repositories that it may use. Runs on FakeServer's threads.
#pragma once

#include "fake_server.h"
#include "test_authority.h"

#include <cstdlib>

class TokenServer {
  public:
    // lifetime: of the token number N (1 is the first).
    explicit TokenServer(
        const TestAuthority& authority,
        std::function<std::chrono::seconds(int)> lifetime =
            [](int) { return std::chrono::seconds(300); },
        std::string prefix = "team/")
        : authority_(authority), lifetime_(std::move(lifetime)), prefix_(std::move(prefix)) {}

    std::string realm() const { return server_.url("/token"); }
    std::vector<FakeServer::Request> requests() { return server_.requests(); }

  private:
    static std::string decode(const std::string& text) {
        std::string plain;
        for (std::size_t i = 0; i < text.size(); ++i) {
            if (text[i] == '%' && i + 2 < text.size()) {
                plain += static_cast<char>(std::strtol(text.substr(i + 1, 2).c_str(), nullptr, 16));
                i += 2;
            } else {
                plain += text[i];
            }
        }
        return plain;
    }

    // "repository:team/app:pull,push" as an entry of the token.
    std::string entry(const std::string& scope) const {
        const auto first = scope.find(':'), last = scope.rfind(':');
        if (first == last || scope.substr(first + 1, prefix_.size()) != prefix_) return {};
        std::string actions;
        for (std::size_t at = last + 1; at < scope.size();) {
            const auto end = std::min(scope.find(',', at), scope.size());
            actions += (actions.empty() ? "\"" : ",\"") + scope.substr(at, end - at) + "\"";
            at = end + 1;
        }
        return R"({"type":"repository","name":")" + scope.substr(first + 1, last - first - 1) +
               R"(","actions":[)" + actions + "]}";
    }

    std::string answer(const FakeServer::Request& request) {
        if (request.header("authorization") != "Basic bWU6cGFzcw==")
            return FakeServer::answer(401, {}, R"({"errors":[{"code":"UNAUTHORIZED"}]})");
        std::string access;
        for (auto at = request.target.find("scope="); at != std::string::npos;
             at = request.target.find("scope=", at + 1)) {
            const auto end = std::min(request.target.find('&', at), request.target.size());
            const auto one = entry(decode(request.target.substr(at + 6, end - at - 6)));
            if (!one.empty()) access += (access.empty() ? "" : ",") + one;
        }
        const auto token = authority_.issue("[" + access + "]", lifetime_(++*issued_.lock()));
        return FakeServer::answer(200, {"Content-Type: application/json"},
                                  "{\"token\":\"" + token + "\"}");
    }

    const TestAuthority& authority_;
    const std::function<std::chrono::seconds(int)> lifetime_;
    const std::string prefix_;
    base::Guarded<int> issued_{0};
    FakeServer server_{[this](const FakeServer::Request& request) { return answer(request); }};
};
