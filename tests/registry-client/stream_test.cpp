// Blobs that are made while they are sent, against Debian's docker-registry and against a server
// that fails where it is told to.
#include "registry/repository.h"

#include "fake_server.h"
#include "registry_process.h"
#include "skip.h"

#include "base/guarded.h"

#include <catch2/catch.hpp>

namespace {

// The same bytes each time, different all along.
std::string long_bytes(std::size_t size) {
    std::string bytes(size, '\0');
    std::uint32_t state = 1;
    for (auto& byte : bytes) {
        state = state * 1664525 + 1013904223;
        byte = static_cast<char>(state >> 24);
    }
    return bytes;
}

image::ByteProducer producer_of(const std::string& bytes, int* runs = nullptr) {
    return [&bytes, runs](const image::ByteSink& sink) {
        if (runs) ++*runs;
        for (std::size_t at = 0; at < bytes.size(); at += 300'001)
            sink(std::string_view(bytes).substr(at, 300'001));
    };
}

// The upload side of a registry, in memory, with faults by the number of the request.
class FaultyRegistry {
  public:
    enum class Fault { none, close, unavailable, forget, lie };
    explicit FaultyRegistry(std::map<int, Fault> faults_of_patches, bool lose_end = false)
        : faults_(std::move(faults_of_patches)), lose_end_(lose_end),
          server_([this](const FakeServer::Request& request) { return answer(request); }) {}

    std::unique_ptr<image::BlobStore> open() {
        registry::Settings settings;
        settings.first_backoff = std::chrono::milliseconds(1);
        return registry::open_repository(server_.host(), "app", settings);
    }
    std::string stored() { return state_.lock()->stored; }
    int sessions() { return state_.lock()->sessions; }
    std::vector<FakeServer::Request> requests() { return server_.requests(); }

  private:
    struct State {
        std::string upload, stored;
        int sessions = 0, patches = 0;
    };

    std::string answer(const FakeServer::Request& request) {
        auto state = state_.lock();
        const auto location = "Location: /v2/app/blobs/uploads/" + std::to_string(state->sessions);
        const auto range = [&] {
            return "Range: 0-" +
                   std::to_string(state->upload.empty() ? 0 : state->upload.size() - 1);
        };
        if (request.method == "HEAD") {
            if (state->stored.empty() ||
                !request.target.ends_with(image::Digest::of(state->stored).render()))
                return FakeServer::answer(404);
            return "HTTP/1.1 200 OK\r\nContent-Length: " + std::to_string(state->stored.size()) +
                   "\r\n\r\n";
        }
        if (request.method == "POST") {
            ++state->sessions;
            state->upload.clear();
            return FakeServer::answer(202, {"Location: /v2/app/blobs/uploads/" +
                                            std::to_string(state->sessions) + "?_state=x"});
        }
        if (request.method == "GET")
            return request.target.find(std::to_string(state->sessions)) == std::string::npos
                       ? FakeServer::answer(404)
                       : FakeServer::answer(204, {location, range()});
        if (request.method == "PATCH") return patch(*state, request, location);
        if (request.method == "PUT") {
            state->stored = state->upload + request.body;
            if (lose_end_) return {};
            return FakeServer::answer(201);
        }
        return FakeServer::answer(204); // DELETE
    }

    std::string patch(State& state, const FakeServer::Request& request,
                      const std::string& location) {
        const auto found = faults_.find(++state.patches);
        const auto fault = found == faults_.end() ? Fault::none : found->second;
        const auto start = std::to_string(state.upload.size()) + "-";
        if (fault == Fault::forget) {
            ++state.sessions; // nobody knows the old one any more
            return FakeServer::answer(404);
        }
        if (fault == Fault::unavailable) return FakeServer::answer(503, {"Retry-After: 0"});
        if (!request.header("content-range").starts_with(start)) return FakeServer::answer(416);
        if (fault == Fault::close) { // half of it had arrived
            state.upload += request.body.substr(0, request.body.size() / 2);
            return {};
        }
        state.upload += request.body;
        if (fault == Fault::lie) state.upload.resize(10); // acknowledged, and lost afterwards
        return FakeServer::answer(202, {location});
    }

    const std::map<int, Fault> faults_;
    const bool lose_end_;
    base::Guarded<State> state_;
    FakeServer server_;
};

} // namespace

TEST_CASE("a blob is streamed into a registry in chunks, and is there") {
    if (is_missing("docker-registry")) return;
    static RegistryProcess process;
    const auto store = registry::open_repository(process.host(), "team/streamed", {});
    for (const std::size_t size : {0u, 1u, 4000u, 5u << 20, (5u << 20) + 1, 17'000'003u}) {
        const auto bytes = long_bytes(size);
        const auto done = store->stream_blob(producer_of(bytes), {});
        CHECK(done.digest == image::Digest::of(bytes));
        CHECK(done.size == size);
        CHECK_FALSE(done.was_there);
        std::string back;
        store->read_blob({"", done.digest, done.size}, [&](std::string_view part) { back += part; },
                         {});
        CHECK((back == bytes));
    }
    const auto again = store->stream_blob(producer_of(long_bytes(4000)), {});
    CHECK(again.was_there);
}

TEST_CASE("what breaks while a blob is made comes out, and the upload is given up") {
    FaultyRegistry registry({});
    const auto bytes = long_bytes(12'000'000);
    const auto broken = [&](const image::ByteSink& sink) {
        sink(bytes);
        throw std::runtime_error("the tree is gone");
    };
    CHECK_THROWS_WITH(registry.open()->stream_blob(broken, {}), "the tree is gone");
    CHECK(registry.requests().back().method == "DELETE");
    CHECK(registry.stored().empty());
}

TEST_CASE("a broken upload goes on where the registry stopped") {
    using Fault = FaultyRegistry::Fault;
    for (const auto& faults : {std::map<int, Fault>{{2, Fault::close}},
                               {{1, Fault::close}, {2, Fault::close}},
                               {{1, Fault::unavailable}, {3, Fault::unavailable}}}) {
        FaultyRegistry registry(faults);
        const auto bytes = long_bytes(12'000'000);
        int runs = 0;
        const auto done = registry.open()->stream_blob(producer_of(bytes, &runs), {});
        CHECK(done.digest == image::Digest::of(bytes));
        CHECK((registry.stored() == bytes));
        CHECK(runs == 1); // nothing was made twice
        CHECK(registry.sessions() == 1);
    }
}

TEST_CASE("an upload that the registry forgot or damaged is made again") {
    using Fault = FaultyRegistry::Fault;
    for (const auto fault : {Fault::forget, Fault::lie}) {
        FaultyRegistry registry({{2, fault}});
        const auto bytes = long_bytes(17'000'000);
        int runs = 0;
        const auto done = registry.open()->stream_blob(producer_of(bytes, &runs), {});
        CHECK((registry.stored() == bytes));
        CHECK(done.size == bytes.size());
        CHECK(runs == 2);
    }
}

TEST_CASE("an upload whose last answer was lost is found in the registry") {
    FaultyRegistry registry({}, true);
    const auto bytes = long_bytes(12'000'000);
    int runs = 0;
    const auto done = registry.open()->stream_blob(producer_of(bytes, &runs), {});
    CHECK(done.digest == image::Digest::of(bytes));
    CHECK(runs == 1);
}

TEST_CASE("a registry that loses every upload is an error in the end") {
    using Fault = FaultyRegistry::Fault;
    std::map<int, Fault> faults;
    for (int i = 1; i < 100; ++i) faults[i] = Fault::forget;
    FaultyRegistry registry(faults);
    const auto bytes = long_bytes(6'000'000);
    CHECK_THROWS_WITH(registry.open()->stream_blob(producer_of(bytes), {}),
                      Catch::Contains("loses every upload"));
}
