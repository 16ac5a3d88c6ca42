// Uploads, mounts and manifests through the fault proxy (fault_site.h).
#include "fault_site.h"

using namespace fault_site;

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
