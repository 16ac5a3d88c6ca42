// Registries that misbehave, and what the tests ask of them.
#pragma once

#include "registry/repository.h"

#include "errors.h"
#include "fake_server.h"

#include "base/error.h"
#include "base/fd.h"
#include "base/guarded.h"
#include "base/temp_dir.h"

#include <catch2/catch.hpp>

namespace faults {

using namespace std::chrono_literals;
using image::Digest;
using Request = FakeServer::Request;
inline const auto answer = &FakeServer::answer;

inline registry::Settings quick(int attempts = 3) {
    registry::Settings settings;
    settings.attempts = attempts;
    settings.first_backoff = 1ms;
    settings.stall_timeout = 2s;
    return settings;
}

inline registry::Settings with_login(const std::string& host) {
    auto settings = quick();
    settings.credentials[host] = {"me", base::Secret("pass")};
    return settings;
}
inline const std::string basic = "Basic bWU6cGFzcw=="; // of with_login

inline const std::string manifest =
    R"({"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json"})";
inline const std::string bytes = "the bytes of a blob";
inline const image::Descriptor blob{"application/octet-stream", Digest::of(bytes), bytes.size()};

inline std::string read(image::BlobStore& store, const base::Stop& stop = {}) {
    std::string got;
    store.read_blob(
        blob, [&](std::string_view part) { got += part; }, stop);
    return got;
}

inline std::string token_challenge(const std::string& realm) {
    return answer(401, {"WWW-Authenticate: Bearer realm=\"" + realm + "\",service=\"s\""}, "");
}

// A registry that takes one upload, with a hook before each answer.
struct Uploads {
    std::function<std::string(const Request&)> before = [](const Request&) { return ""; };
    base::Guarded<std::string> stored;
    FakeServer server{[this](const Request& request) -> std::string {
        if (auto early = before(request); !early.empty()) return early == "close" ? "" : early;
        if (request.method == "HEAD" && stored.lock()->empty()) return answer(404, {}, "");
        if (request.method == "HEAD")
            return "HTTP/1.1 200 OK\r\nContent-Length: " + std::to_string(bytes.size()) +
                   "\r\n\r\n";
        if (request.method == "POST") return answer(202, {"Location: /v2/a/up/1?_state=x%2By"}, "");
        *stored.lock() = request.body;
        return answer(201, {}, "");
    }};
};

} // namespace faults
