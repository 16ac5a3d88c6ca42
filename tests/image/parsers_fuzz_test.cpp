// What a registry sends as JSON: whatever it is, it is understood or refused by an Error, and never
// anything else. Run long and with sanitizers: SLIPWAY_FUZZ_RUNS.
#include "image/image.h"
#include "image/index.h"
#include "image/reference.h"
#include "image/referrers.h"

#include "mutations.h"

#include "base/error.h"

#include <catch2/catch.hpp>

namespace {

const std::string some_digest =
    "sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a";

std::string descriptor(const std::string& type) {
    return R"({"mediaType":")" + type + R"(","digest":")" + some_digest +
           R"(","size":2,"urls":["https://elsewhere.example/"],"annotations":{"a":"b"}})";
}

const std::vector<std::string> manifests{
    R"({"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json","config":)" +
        descriptor("application/vnd.oci.image.config.v1+json") + R"(,"layers":[)" +
        descriptor("application/vnd.oci.image.layer.v1.tar+gzip") + R"(],"subject":)" +
        descriptor("application/vnd.oci.image.manifest.v1+json") +
        R"(,"artifactType":"application/x","annotations":{"k":"v"}})",
    R"({"schemaVersion":2,"mediaType":"application/vnd.docker.distribution.manifest.v2+json","config":)" +
        descriptor("application/vnd.docker.container.image.v1+json") + R"(,"layers":[)" +
        descriptor("application/vnd.docker.image.rootfs.diff.tar.gzip") + "]}",
    R"({"schemaVersion":2,"mediaType":"application/vnd.oci.image.index.v1+json","manifests":[{"mediaType":"application/vnd.oci.image.manifest.v1+json","digest":")" +
        some_digest +
        R"(","size":2,"platform":{"os":"linux","architecture":"amd64","variant":"v2"},"artifactType":"a"}]})"};

const std::vector<std::string> configs{
    R"({"architecture":"amd64","os":"linux","created":"2020-01-01T00:00:00Z","config":{"User":"1000","Env":["A=b"],"Entrypoint":["/x"],"Cmd":null,"WorkingDir":"/","Labels":{"l":"v"},"ExposedPorts":{"80/tcp":{}}},"rootfs":{"type":"layers","diff_ids":[")" +
    some_digest + R"("]},"history":[{"created_by":"x","empty_layer":true},{"created_by":"y"}]})"};

// Whether it was understood; anything but an Error fails the test.
template <class Parse>
bool survives(const std::string& text, Parse&& parse) {
    try {
        parse();
        return true;
    } catch (const base::Error&) {
        return false;
    } catch (const std::exception& other) {
        FAIL(other.what() << "\nof " << text);
    }
    return false;
}

} // namespace

TEST_CASE("manifests, indexes and lists of referrers are understood or refused") {
    Mutations mutations(manifests);
    int understood = 0;
    const int runs = Mutations::runs(20'000);
    for (int i = 0; i < runs; ++i) {
        const auto text = mutations.next_json();
        const image::RawManifest raw{"", text, image::Digest::of(text)};
        understood += survives(text, [&] { image::choose_from_index(raw, "amd64"); });
        survives(text, [&] { image::blobs_of(raw); });
        survives(text, [&] { image::subject_of(raw); });
        survives(text, [&] { image::referrer_of(raw); });
        survives(text, [&] { image::parse_referrers(text); });
        survives(text, [&] {
            const auto index = image::Index::parse(raw);
            survives(text, [&] { image::Index::parse(index.render()); });
        });
    }
    CHECK(understood > runs / 100); // the mutations are not all nonsense
    CHECK(understood < runs);
}

TEST_CASE("configurations of images are understood or refused, and rendered again") {
    Mutations mutations(configs);
    int understood = 0;
    const int runs = Mutations::runs(20'000);
    for (int i = 0; i < runs; ++i) {
        const auto text = mutations.next_json();
        const std::string manifest =
            R"({"schemaVersion":2,"config":{"mediaType":"application/vnd.oci.image.config.v1+json","digest":")" +
            image::Digest::of(text).render() + R"(","size":)" + std::to_string(text.size()) +
            R"(},"layers":[)" + descriptor("application/vnd.oci.image.layer.v1.tar") + "]}";
        understood += survives(text, [&] {
            const auto parsed = image::Image::parse(manifest, text);
            image::Image::parse(parsed.render_manifest(), parsed.render_config());
        });
    }
    CHECK(understood > runs / 100);
    CHECK(understood < runs);
}

TEST_CASE("references and digests are understood or refused") {
    Mutations mutations({"registry.example:5000/team/app:v1.2-x", "debian",
                         "localhost/a/b@" + some_digest, "[::1]:80/x__y/z--w:latest", some_digest});
    const int runs = Mutations::runs(20'000);
    for (int i = 0; i < runs; ++i) {
        const auto text = mutations.next();
        survives(text, [&] {
            const auto parsed = image::Reference::parse(text);
            CHECK(image::Reference::parse(parsed.render()).render() == parsed.render());
        });
        survives(text, [&] {
            const auto digest = image::Digest::parse(text);
            CHECK(digest.render() == text);
        });
    }
}
