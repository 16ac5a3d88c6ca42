// What registries make of chunked uploads: none at all, larger ones, and places that move.
#include "registry/repository.h"

#include "fake_server.h"

#include "base/error.h"
#include "base/guarded.h"

#include <catch2/catch.hpp>

using namespace std::chrono_literals;

namespace {

using Request = FakeServer::Request;
const auto answer = &FakeServer::answer;

const std::string& bytes_to_send() {
    static const std::string bytes = [] {
        std::string made(12'000'000, '\0');
        for (std::size_t i = 0; i < made.size(); i += 5) made[i] = static_cast<char>(i / 5 * 7);
        return made;
    }();
    return bytes;
}

// A registry in memory; each answer names another place to go on at.
struct Uploads {
    struct State {
        std::string upload, stored;
        int step = 0, patches = 0, posts = 0;
        std::vector<std::size_t> sizes;
    };
    std::function<std::string(const Request&, State&)> before = [](auto&, auto&) { return ""; };
    std::vector<std::string> more_headers = {};
    std::vector<std::string> places = {"Location: /v2/app/blobs/uploads/1?step="};
    base::Guarded<State> state;
    FakeServer server{[this](const Request& request) { return serve(request); }};

    std::string place(State& now) {
        const auto& form = places[static_cast<std::size_t>(now.step) % places.size()];
        return form + std::to_string(++now.step);
    }
    // Whether the request went where the last answer said.
    static bool is_there(const Request& request, const State& now) {
        const auto mark = "step=" + std::to_string(now.step);
        const auto at = request.target.find(mark);
        return at != std::string::npos &&
               request.target.find_first_of("0123456789", at + mark.size()) != at + mark.size();
    }

    std::string serve(const Request& request) {
        auto now = state.lock();
        if (auto early = before(request, *now); !early.empty()) return early;
        if (request.method == "HEAD") {
            if (now->stored.empty()) return answer(404, {}, "");
            return "HTTP/1.1 200 OK\r\nContent-Length: " + std::to_string(now->stored.size()) +
                   "\r\n\r\n";
        }
        if (request.method == "POST") {
            now->upload.clear();
            ++now->posts;
            auto headers = more_headers;
            headers.push_back(place(*now));
            return answer(202, headers, "");
        }
        if (request.method == "DELETE") return answer(204, {}, "");
        if (!is_there(request, *now)) return answer(404, {}, "");
        if (request.method == "PATCH") {
            now->upload += request.body;
            now->sizes.push_back(request.body.size());
            return answer(202, {place(*now)}, "");
        }
        now->stored = now->upload + request.body;
        return answer(201, {}, "");
    }
    image::StreamedBlob stream(int* runs = nullptr) {
        const auto store = registry::open_repository(
            server.host(), "app", {.attempts = 3, .first_backoff = 1ms, .stall_timeout = 5s});
        return store->stream_blob(
            [&](const image::ByteSink& sink) {
                if (runs) ++*runs;
                sink(bytes_to_send());
            },
            {});
    }
};

} // namespace

TEST_CASE("a registry without chunks gets a blob in one request, made once more for that") {
    for (const int status : {400, 405, 411, 415, 416, 501}) {
        INFO(status);
        Uploads uploads;
        uploads.before = [&](const Request& request, auto&) -> std::string {
            return request.method == "PATCH" ? answer(status, {}, "") : "";
        };
        int runs = 0;
        const auto done = uploads.stream(&runs);
        CHECK((uploads.state.lock()->stored == bytes_to_send()));
        CHECK(done.digest == image::Digest::of(bytes_to_send()));
        CHECK(runs == 3); // into the chunk that was refused, to be measured, to be sent
    }
}

TEST_CASE("a registry without chunks is not asked for them twice, and stumbles as others do") {
    Uploads uploads;
    base::Guarded<int> patches(0), puts(0);
    uploads.before = [&](const Request& request, auto&) -> std::string {
        if (request.method == "PATCH") return ++*patches.lock(), answer(405, {}, "");
        if (request.method == "PUT" && ++*puts.lock() == 1) return answer(503, {}, "");
        return "";
    };
    const auto store = registry::open_repository(
        uploads.server.host(), "app", {.attempts = 3, .first_backoff = 1ms, .stall_timeout = 5s});
    const auto produce = [](const image::ByteSink& sink) { sink(bytes_to_send()); };
    CHECK_FALSE(store->stream_blob(produce, {}).was_there);
    CHECK((uploads.state.lock()->stored == bytes_to_send()));
    CHECK(store->stream_blob(produce, {}).was_there); // known before anything is sent
    CHECK(*patches.lock() == 1);
    CHECK(*puts.lock() == 2);
}

TEST_CASE("what breaks while a blob is sent in one request comes out") {
    Uploads uploads;
    uploads.before = [&](const Request& request, auto&) -> std::string {
        return request.method == "PATCH" ? answer(405, {}, "") : "";
    };
    const auto store = registry::open_repository(
        uploads.server.host(), "app", {.attempts = 3, .first_backoff = 1ms, .stall_timeout = 5s});
    int runs = 0;
    CHECK_THROWS_WITH(store->stream_blob(
                          [&](const image::ByteSink& sink) {
                              const bool breaks = ++runs == 3;
                              sink(bytes_to_send());
                              if (breaks) throw std::runtime_error("the tree is gone");
                          },
                          {}),
                      "the tree is gone");
    CHECK(uploads.state.lock()->stored.empty());
    CHECK(runs == 3);
}

TEST_CASE("chunks are as large as the registry wants them, but for the last") {
    for (const std::size_t least : {1u, 4'000'000u, 7'000'000u, 11'000'000u, 64'000'000u}) {
        INFO(least);
        Uploads uploads;
        uploads.more_headers = {"OCI-Chunk-Min-Length: " + std::to_string(least)};
        uploads.stream();
        auto now = uploads.state.lock();
        CHECK((now->stored == bytes_to_send()));
        REQUIRE_FALSE(now->sizes.empty());
        for (std::size_t i = 0; i + 1 < now->sizes.size(); ++i) CHECK(now->sizes[i] >= least);
    }
    for (const char* nonsense : {"", "-1", "many", "99999999999999999999999"}) {
        INFO(nonsense);
        Uploads uploads;
        uploads.more_headers = {std::string("OCI-Chunk-Min-Length: ") + nonsense};
        uploads.stream();
        CHECK((uploads.state.lock()->stored == bytes_to_send()));
    }
}

TEST_CASE("an upload goes on wherever the last answer says, relative or not, its query kept") {
    Uploads uploads;
    uploads.places = {"Location: ?step=", "Location: 2?a=%2Fb&step=",
                      "Location: ../uploads/3?_state=x%3D%3D&step=",
                      "Location: " + uploads.server.url("/elsewhere?step="),
                      "Location: //" + uploads.server.host() + "/v2/?x=y&step="};
    uploads.stream();
    CHECK((uploads.state.lock()->stored == bytes_to_send()));
    const auto last = uploads.server.requests().back().target;
    CHECK(last.find("&digest=sha256%3A") != std::string::npos);
}

TEST_CASE("a registry that cannot say what it has of an upload is sent all of it again") {
    for (const int status : {400, 404, 405, 501}) {
        INFO(status);
        Uploads uploads;
        base::Guarded<int> count(0);
        uploads.before = [&](const Request& request, auto&) -> std::string {
            if (request.method == "GET") return answer(status, {}, "");
            const bool breaks = request.method == "PATCH" && ++*count.lock() == 2;
            return breaks ? answer(500, {}, "") : "";
        };
        int runs = 0;
        uploads.stream(&runs);
        CHECK((uploads.state.lock()->stored == bytes_to_send()));
        CHECK(runs == 2);
    }
}

TEST_CASE("a registry that asks for patience between chunks gets it") {
    Uploads uploads;
    base::Guarded<int> count(0);
    uploads.before = [&](const Request& request, Uploads::State& now) -> std::string {
        if (request.method == "GET")
            return answer(
                204, {uploads.place(now), "Range: 0-" + std::to_string(now.upload.size() - 1)}, "");
        if (request.method == "PATCH" && ++*count.lock() == 2)
            return answer(429, {"Retry-After: 1"}, "");
        return "";
    };
    const auto start = std::chrono::steady_clock::now();
    int runs = 0;
    uploads.stream(&runs);
    CHECK(std::chrono::steady_clock::now() - start >= 1s);
    CHECK((uploads.state.lock()->stored == bytes_to_send()));
    CHECK(runs == 1);
}
