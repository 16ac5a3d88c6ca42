// The client against Debian's docker-registry, with the fault proxy between them: whatever goes
// wrong on the way, the registry holds the same digest in the end, or there is an error that says
// so. Looked at past the proxy.
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

using namespace std::chrono_literals;
using Fault = FaultProxy::Fault;

namespace {

const auto answer = &FakeServer::answer;

std::string some_bytes(std::size_t size, unsigned seed) {
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

auto method_is(std::string method, std::string part = {}) {
    return [method, part](const FaultProxy::Request& request) {
        return request.method == method && request.target.find(part) != std::string::npos;
    };
}

// Empty: it went well.
std::string error_of(const std::function<void()>& call) {
    try {
        call();
        return {};
    } catch (const base::Error& error) {
        CHECK_FALSE(error.message().empty());
        return error.message();
    }
}

std::string header_replaced(std::string head, const std::string& name, const std::string& value) {
    const auto at = head.find("\r\n" + name + ":");
    if (at == head.npos) return head.insert(head.find("\r\n") + 2, name + ": " + value + "\r\n");
    const auto end = head.find("\r\n", at + 2);
    return head.replace(at + 2, end - at - 2, name + ": " + value);
}

Fault lying(const std::string& name, const std::string& value) {
    return {.rewrite = [=](std::string head) { return header_replaced(head, name, value); }};
}

struct Row {
    const char* what;
    Fault fault;
    bool must_succeed; // when it happens once
};

const std::string other_digest = image::Digest::of("another").render();

// What may happen to any request.
std::vector<Row> common_faults() {
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
std::vector<bool> turns(const Row& row) {
    if (row.fault.answer.find("Retry-After: 1") != std::string::npos) return {false};
    return {false, true};
}

std::vector<Row> with(std::vector<Row> rows, std::vector<Row> more) {
    for (auto& row : more) rows.push_back(std::move(row));
    return rows;
}

void check_writing(const std::vector<Row>& rows,
                   const std::function<bool(const FaultProxy::Request&)>& hit, std::size_t size,
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

} // namespace

TEST_CASE("a file reaches the registry whole or not at all, whatever happens to its upload") {
    if (is_missing("docker-registry")) return;
    const base::TempDir directory("faulty");
    const auto write = [&](Site& site, const std::string& bytes) {
        const auto path = directory.path() / "blob";
        base::write_file(path, bytes);
        site.store->write_blob({{"", image::Digest::of(bytes), bytes.size()}, path}, {});
    };
    check_writing(common_faults(), method_is("POST"), 100'000, write);
    check_writing(with(common_faults(),
                       {{"a connection that breaks", {.cut_request = 50'000}, true},
                        {"a connection that breaks at once", {.cut_request = 0}, true},
                        {"a byte that changes", {.flip_request = 77'777}, false},
                        {"404", {.answer = answer(404, {}, "")}, true},
                        {"416", {.answer = answer(416, {}, "")}, true},
                        {"another digest", lying("Docker-Content-Digest", other_digest), false}}),
                  method_is("PUT"), 100'000, write);
}

TEST_CASE("a stream reaches the registry whole or not at all, whatever happens to its chunks") {
    if (is_missing("docker-registry")) return;
    const auto write = [](Site& site, const std::string& bytes) {
        const auto done = site.store->stream_blob(
            [&](const image::ByteSink& sink) {
                for (std::size_t at = 0; at < bytes.size(); at += 700'001)
                    sink(std::string_view(bytes).substr(at, 700'001));
            },
            {});
        CHECK(done.digest == image::Digest::of(bytes));
    };
    const auto patches =
        with(common_faults(), {{"a connection that breaks", {.cut_request = 1'000'000}, true},
                               {"a connection that breaks at once", {.cut_request = 0}, true},
                               {"a byte that changes", {.flip_request = 77'777}, false},
                               {"404", {.answer = answer(404, {}, "")}, true},
                               {"416", {.answer = answer(416, {}, "")}, true},
                               {"405", {.answer = answer(405, {}, "")}, true}});
    constexpr std::size_t two_chunks = 6u << 20;
    check_writing(patches, method_is("PATCH"), two_chunks, write);
    check_writing(common_faults(), method_is("PUT"), two_chunks, write);
    // The second chunk, when there is something to go on from.
    for (const auto& row : patches) {
        if (row.fault.answer.find(" 405 ") != std::string::npos) continue; // see the first chunk
        INFO(row.what);
        base::Guarded<int> count(0);
        Site site(
            [&](const FaultProxy::Request& request) {
                return request.method == "PATCH" && ++*count.lock() == 2;
            },
            row.fault);
        const auto bytes = some_bytes(11u << 20, 4242);
        const auto error = error_of([&] { write(site, bytes); });
        INFO(error);
        CHECK(site.was_hit());
        CHECK(error.empty() == row.must_succeed);
        if (error.empty()) CHECK((site.stored(bytes) == bytes));
    }
}

TEST_CASE("a registry that lies about what it has of an upload gets the right bytes or an error") {
    if (is_missing("docker-registry")) return;
    const auto bytes = some_bytes(11u << 20, 1);
    for (const char* range : {"0-0", "0-99", "0-99999999", "5-10", "0-4294967295", "x", "-1", ""}) {
        INFO(range);
        base::Guarded<int> patches(0);
        FaultProxy proxy(Site::process().host(), [&](const FaultProxy::Request& request) -> Fault {
            if (request.method == "GET") return lying("Range", range);
            if (request.method == "PATCH" && ++*patches.lock() == 2)
                return {.cut_request = 1'000'000};
            return {};
        });
        Site site([](const auto&) { return false; }, {});
        const auto store = registry::open_repository(
            proxy.host(), site.name, {.attempts = 3, .first_backoff = 1ms, .stall_timeout = 5s});
        const auto error = error_of(
            [&] { store->stream_blob([&](const image::ByteSink& sink) { sink(bytes); }, {}); });
        INFO(error);
        CHECK(error.empty());
        CHECK((site.stored(bytes) == bytes));
    }
}

TEST_CASE("a blob is read whole and right, or there is an error") {
    if (is_missing("docker-registry")) return;
    const auto bytes = some_bytes(300'000, 9);
    const base::TempDir directory("faulty");
    base::write_file(directory.path() / "blob", bytes);
    const image::Descriptor blob{"", image::Digest::of(bytes), bytes.size()};
    FakeServer stranger([&](const auto&) { return answer(200, {}, bytes.substr(1) + "x"); },
                        "127.0.0.2");
    for (const auto& row :
         with(common_faults(),
              {{"a download that breaks", {.cut_answer = 123'456}, true},
               {"a byte that changes", {.flip_answer = 222'222}, false},
               {"a shorter length than there is", lying("Content-Length", "299999"), false},
               {"a longer length than there is", lying("Content-Length", "300001"), false},
               {"another blob", {.answer = answer(200, {}, std::string(300'000, 'x'))}, false},
               {"nothing", {.answer = answer(200, {}, "")}, true},
               {"a range that nobody asked for",
                {.answer = answer(206, {"Content-Range: bytes 1-299999/300000"}, bytes.substr(1))},
                false},
               {"404", {.answer = answer(404, {}, "")}, false},
               {"416", {.answer = answer(416, {}, "")}, false},
               {"a redirect to a stranger",
                {.answer = answer(307, {"Location: " + stranger.url()}, "")},
                false}}))
        for (const bool always : turns(row)) {
            INFO(row.what << (always ? ", always" : ", once"));
            Site site(method_is("GET", "/blobs/"), row.fault, always ? 1000 : 1);
            site.direct->write_blob({blob, directory.path() / "blob"}, {});
            std::string got;
            const auto error = error_of([&] {
                site.store->read_blob(blob, [&](std::string_view part) { got += part; }, {});
            });
            INFO(error);
            CHECK(site.was_hit());
            if (error.empty()) CHECK((got == bytes));
            if (row.must_succeed && !always) CHECK(error.empty());
            if (!row.must_succeed && always) CHECK_FALSE(error.empty());
        }
}

TEST_CASE("a download that goes on with lying ranges is an error, not another blob") {
    if (is_missing("docker-registry")) return;
    const auto bytes = some_bytes(300'000, 10);
    const base::TempDir directory("faulty");
    base::write_file(directory.path() / "blob", bytes);
    const image::Descriptor blob{"", image::Digest::of(bytes), bytes.size()};
    for (const std::size_t lie : {0u, 99'999u, 100'001u, 250'000u}) {
        INFO(lie);
        base::Guarded<int> count(0);
        Site site([](const auto&) { return false; }, {});
        FaultProxy proxy(Site::process().host(), [&](const FaultProxy::Request& request) -> Fault {
            if (request.method != "GET") return {};
            if (++*count.lock() == 1) return {.cut_answer = 100'000};
            return {.answer = answer(
                        206, {"Content-Range: bytes " + std::to_string(lie) + "-299999/300000"},
                        bytes.substr(lie))};
        });
        site.direct->write_blob({blob, directory.path() / "blob"}, {});
        const auto store = registry::open_repository(
            proxy.host(), site.name, {.attempts = 3, .first_backoff = 1ms, .stall_timeout = 5s});
        CHECK_FALSE(error_of([&] { store->read_blob(blob, [](auto) {}, {}); }).empty());
    }
}

TEST_CASE("a slow registry is waited for as long as it says something") {
    if (is_missing("docker-registry")) return;
    const auto bytes = some_bytes(2'000, 11);
    const base::TempDir directory("faulty");
    base::write_file(directory.path() / "blob", bytes);
    const image::Descriptor blob{"", image::Digest::of(bytes), bytes.size()};
    Site site(method_is("GET"), {.bytes_per_second = 1'000});
    site.direct->write_blob({blob, directory.path() / "blob"}, {});
    std::string got;
    site.store->read_blob(blob, [&](std::string_view part) { got += part; }, {});
    CHECK((got == bytes));
    CHECK(site.proxy.count("GET") == 1);
}

TEST_CASE("a mount is made, or the blob is written: never believed without either") {
    if (is_missing("docker-registry")) return;
    const base::TempDir directory("faulty");
    unsigned seed = 5000;
    for (const auto& row :
         with(common_faults(),
              {{"another digest", lying("Docker-Content-Digest", other_digest), true},
               {"404", {.answer = answer(404, {}, "")}, true},
               {"405", {.answer = answer(405, {}, "")}, true},
               {"a mount that never happened", {.answer = answer(201, {}, "")}, false}})) {
        INFO(row.what);
        Site site(method_is("POST", "mount="), row.fault);
        const auto bytes = some_bytes(5'000, ++seed);
        const auto path = directory.path() / "blob";
        base::write_file(path, bytes);
        const image::BlobFile blob{{"", image::Digest::of(bytes), bytes.size()}, path};
        const auto from = site.name + "-base";
        registry::open_repository(Site::process().host(), from, {})->write_blob(blob, {});
        const auto error = error_of([&] {
            if (!site.store->mount_blob(blob.descriptor, from, {}))
                site.store->write_blob(blob, {});
        });
        INFO(error);
        CHECK(site.was_hit());
        if (row.must_succeed) CHECK((site.stored(bytes) == bytes));
        // Whoever is told of a mount that never happened learns it from the manifest.
        if (site.stored(bytes).empty() && error.empty()) {
            const auto made = image::render_artifact(
                {"application/vnd.test", std::nullopt, {{blob.descriptor, {}}}, {}});
            CHECK_FALSE(error_of([&] { site.store->write_manifest(made, "v1", {}); }).empty());
        }
    }
}

TEST_CASE("a manifest is stored under its digest and its tag, or there is an error") {
    if (is_missing("docker-registry")) return;
    const base::TempDir directory("faulty");
    base::write_file(directory.path() / "empty", "{}");
    unsigned seed = 0;
    for (const char* method : {"PUT", "HEAD"})
        for (const auto& row :
             with(common_faults(),
                  {{"a connection that breaks", {.cut_request = 20}, std::string("PUT") == method},
                   {"another digest", lying("Docker-Content-Digest", other_digest), false},
                   {"404", {.answer = answer(404, {}, "")}, false},
                   {"202", {.answer = answer(202, {}, "")}, false}}))
            for (const bool always : turns(row)) {
                INFO(method << ": " << row.what << (always ? ", always" : ", once"));
                const bool reaches = std::string(method) == "PUT" || !row.fault.cut_request;
                if (!reaches) continue; // a HEAD has no body to break in
                Site site(method_is(method, "/manifests/"), row.fault, always ? 1000 : 1);
                site.direct->write_blob({image::empty_descriptor(), directory.path() / "empty"},
                                        {});
                const auto made = image::render_artifact(
                    {"application/vnd.test." + std::to_string(++seed), std::nullopt, {}, {}});
                const auto error = error_of([&] { site.store->write_manifest(made, "v1", {}); });
                INFO(error);
                CHECK(site.was_hit());
                if (error.empty()) {
                    const auto back = site.direct->read_manifest("v1", {});
                    REQUIRE(back);
                    CHECK(back->bytes == made.bytes);
                }
                if (row.must_succeed && !always) CHECK(error.empty());
                if (!row.must_succeed && always) CHECK_FALSE(error.empty());
            }
}

TEST_CASE("a manifest is read as it was written, or there is an error") {
    if (is_missing("docker-registry")) return;
    const base::TempDir directory("faulty");
    base::write_file(directory.path() / "empty", "{}");
    const auto made = image::render_artifact({"application/vnd.test.read", std::nullopt, {}, {}});
    const std::string half = made.bytes.substr(0, made.bytes.size() / 2);
    for (const auto& row :
         with(common_faults(),
              {{"a transfer that breaks", {.cut_answer = 50}, true},
               {"half of it, and no length",
                {.answer =
                     "HTTP/1.1 200 OK\r\nContent-Type: " + made.media_type + "\r\n\r\n" + half},
                false},
               {"a byte that changes", {.flip_answer = 30}, false},
               {"another digest", lying("Docker-Content-Digest", other_digest), false}}))
        for (const bool always : turns(row)) {
            INFO(row.what << (always ? ", always" : ", once"));
            Site site(method_is("GET", "/manifests/"), row.fault, always ? 1000 : 1);
            site.direct->write_blob({image::empty_descriptor(), directory.path() / "empty"}, {});
            site.direct->write_manifest(made, "v1", {});
            std::optional<image::RawManifest> back;
            const auto error = error_of([&] { back = site.store->read_manifest("v1", {}); });
            INFO(error);
            CHECK(site.was_hit());
            if (error.empty()) {
                REQUIRE(back);
                CHECK(back->bytes == made.bytes);
            }
            if (row.must_succeed && !always) CHECK(error.empty());
            if (!row.must_succeed && always) CHECK_FALSE(error.empty());
        }
}
