// The client against Debian's docker-registry, with the fault proxy between them: whatever goes
// wrong on the way, the registry holds the same digest in the end, or there is an error that says
// so. Looked at past the proxy.
#pragma once

#include "registry/repository.h"

#include "fake_server.h"
#include "fault_proxy.h"
#include "registry_process.h"
#include "skip.h"

#include "base/error.h"
#include "base/guarded.h"
#include "base/temp_dir.h"
#include "image/referrers.h"

#include <catch2/catch.hpp>

namespace fault_site {

using namespace std::chrono_literals;
using Fault = FaultProxy::Fault;

inline const auto answer = &FakeServer::answer;

inline std::string some_bytes(std::size_t size, unsigned seed) {
    std::string bytes(size, '\0');
    for (auto& byte : bytes) {
        seed = seed * 1664525 + 1013904223;
        byte = static_cast<char>(seed >> 24);
    }
    return bytes;
}

// Two repositories of a real registry, and the way to the first through the proxy.
class Site {
  public:
    explicit Site(std::function<bool(const FaultProxy::Request&)> hit, Fault fault, int times = 1)
        : proxy(process().host(), [this, hit, fault, times](const FaultProxy::Request& request) {
              if (!hit(request)) return Fault{};
              auto done = hits_.lock();
              return ++*done <= times ? fault : Fault{};
          }) {
        static int count = 0;
        name = "team/faulty-" + std::to_string(++count);
        direct = registry::open_repository(process().host(), name, {});
        registry::Settings settings;
        settings.attempts = 4;
        settings.first_backoff = 1ms;
        settings.stall_timeout = 5s;
        store = registry::open_repository(proxy.host(), name, settings);
    }

    static RegistryProcess& process() {
        static RegistryProcess one;
        return one;
    }
    bool was_hit() { return *hits_.lock() > 0; }
    // What the registry has, past the proxy; empty: nothing, or not under its own digest.
    std::string stored(const std::string& bytes) {
        const image::Descriptor blob{"", image::Digest::of(bytes), bytes.size()};
        if (!direct->find_missing({blob}, {}).empty()) return {};
        std::string got;
        direct->read_blob(blob, [&](std::string_view part) { got += part; }, {});
        return got;
    }

    FaultProxy proxy;
    std::string name;
    std::unique_ptr<image::BlobStore> direct, store;

  private:
    base::Guarded<int> hits_{0};
};

inline auto method_is(std::string method, std::string part = {}) {
    return [method, part](const FaultProxy::Request& request) {
        return request.method == method && request.target.find(part) != std::string::npos;
    };
}

// Empty: it went well.
inline std::string error_of(const std::function<void()>& call) {
    try {
        call();
        return {};
    } catch (const base::Error& error) {
        CHECK_FALSE(error.message().empty());
        return error.message();
    }
}

inline std::string header_replaced(std::string head, const std::string& name,
                                   const std::string& value) {
    const auto at = head.find("\r\n" + name + ":");
    if (at == head.npos) return head.insert(head.find("\r\n") + 2, name + ": " + value + "\r\n");
    const auto end = head.find("\r\n", at + 2);
    return head.replace(at + 2, end - at - 2, name + ": " + value);
}

inline Fault lying(const std::string& name, const std::string& value) {
    return {.rewrite = [=](std::string head) { return header_replaced(head, name, value); }};
}

struct Row {
    const char* what;
    Fault fault;
    bool must_succeed; // when it happens once
};

inline const std::string other_digest = image::Digest::of("another").render();

// What may happen to any request.
inline std::vector<Row> common_faults() {
    return {
        {"500", {.answer = answer(500, {}, "oops")}, true},
        {"502 with a page", {.answer = answer(502, {}, "<html>" + std::string(9000, 'x'))}, true},
        {"503", {.answer = answer(503, {"Retry-After: 0"}, "")}, true},
        {"429", {.answer = answer(429, {"Retry-After: 0"}, "")}, true},
        {"429 that asks for a second", {.answer = answer(429, {"Retry-After: 1"}, "")}, true},
        {"403", {.answer = answer(403, {}, R"({"errors":[{"code":"DENIED"}]})")}, false},
        {"401 without a way to answer", {.answer = answer(401, {}, "")}, false},
        {"the answer lost", {.lose_answer = true}, true},
        {"the answer's end lost", {.cut_answer = 0}, true},
    };
}

// Once: mended where it can be. Always: an error. Waiting for the same second again shows nothing.
inline std::vector<bool> turns(const Row& row) {
    if (row.fault.answer.find("Retry-After: 1") != std::string::npos) return {false};
    return {false, true};
}

inline std::vector<Row> with(std::vector<Row> rows, std::vector<Row> more) {
    for (auto& row : more) rows.push_back(std::move(row));
    return rows;
}

inline void check_writing(const std::vector<Row>& rows,
                          const std::function<bool(const FaultProxy::Request&)>& hit,
                          std::size_t size,
                          const std::function<void(Site&, const std::string&)>& write) {
    static unsigned seed = 0;
    for (const auto& row : rows)
        for (const bool always : turns(row)) {
            INFO(row.what << (always ? ", always" : ", once"));
            const auto bytes = some_bytes(size, ++seed);
            Site site(hit, row.fault, always ? 1000 : 1);
            const auto error = error_of([&] { write(site, bytes); });
            INFO(error);
            CHECK(site.was_hit());
            if (error.empty()) CHECK((site.stored(bytes) == bytes));
            if (row.must_succeed && !always) CHECK(error.empty());
            if (!row.must_succeed && always) CHECK_FALSE(error.empty());
        }
}

} // namespace fault_site
