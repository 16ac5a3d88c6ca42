// Downloads through the fault proxy (fault_site.h).
#include "fault_site.h"

using namespace fault_site;

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
