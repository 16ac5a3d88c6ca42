// Base images from Debian's docker-registry into a directory that builds share.
#include "registry/image_store.h"

#include "fault_proxy.h"
#include "registry_process.h"
#include "skip.h"
#include "stored_image.h"

#include "base/error.h"
#include "base/guarded.h"
#include "base/task_group.h"

#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>

namespace fs = std::filesystem;
using namespace std::chrono_literals;
using namespace stored_image;

namespace {

using Fault = FaultProxy::Fault;
using Request = FaultProxy::Request;

// A directory of unpacked images, and the way to the registry.
struct Machine {
    explicit Machine(std::string host_ = the_registry().host()) : host(std::move(host_)) {}

    std::vector<fs::path> unpack(const Stored& image, const base::Stop& stop = {}) const {
        registry::Settings settings;
        settings.attempts = 3;
        settings.first_backoff = 1ms;
        const registry::ImageStore store(directory.path(), settings);
        return store.unpack(store.read(image.reference(host), stop), stop);
    }
    std::string refusal_of(const Stored& image) const {
        try {
            unpack(image);
            return {};
        } catch (const base::Error& error) {
            return error.message();
        }
    }
    std::set<std::string> names(const char* part) const {
        std::set<std::string> all;
        for (const auto& entry : fs::directory_iterator(directory.path() / part))
            all.insert(entry.path().filename());
        return all;
    }

    base::TempDir directory{"images"};
    std::string host;
};

bool asks_for(const Request& request, const image::Layer& layer) {
    return request.method == "GET" &&
           request.target.find(layer.descriptor.digest.hex()) != std::string::npos;
}

} // namespace

TEST_CASE("an image is unpacked layer by layer, whatever packs them, and only once") {
    if (is_missing("docker-registry") || is_missing("zstd")) return;
    const auto image = GENERATE(as<Family>{}, Family::oci, Family::docker);
    Stored stored({{TarBuilder().directory("etc").file("etc/a", "lowest"), Packing::none},
                   {TarBuilder().directory("etc").file("etc/a", "middle"),
                    image == Family::oci ? Packing::zstd : Packing::gzip},
                   {TarBuilder().directory("etc").file("etc/.wh.a").file("b"), Packing::gzip}},
                  image);
    FaultProxy proxy(the_registry().host(), [](const Request&) { return Fault{}; });
    const Machine machine(proxy.host());
    const auto paths = machine.unpack(stored);
    REQUIRE(paths.size() == 3);
    CHECK(base::read_file(paths[2] / "etc/a") == "lowest");
    CHECK(base::read_file(paths[1] / "etc/a") == "middle");
    CHECK(base::read_file(paths[0] / "b") == "x");
    CHECK(machine.names("layers") == stored.diff_ids());
    CHECK(machine.names("incoming").empty());
    const auto asked = proxy.requests().size();
    CHECK(machine.unpack(stored) == paths);
    CHECK(proxy.requests().size() == asked);
}

TEST_CASE("builds that want the same image at once fetch each layer once") {
    if (is_missing("docker-registry")) return;
    const Stored stored({{TarBuilder().file("a", some_bytes(2'000'000, 1))},
                         {TarBuilder().file("b", some_bytes(2'000'000, 2))},
                         {TarBuilder().file("c", some_bytes(2'000'000, 3))}});
    FaultProxy proxy(the_registry().host(), [](const Request&) { return Fault{}; });
    const Machine machine(proxy.host());
    base::TaskGroup builds;
    for (int i = 0; i < 5; ++i) builds.start([&](const base::Stop&) { machine.unpack(stored); });
    builds.join();
    for (const auto& layer : stored.image().layers()) {
        int asked = 0;
        for (const auto& request : proxy.requests()) asked += asks_for(request, layer);
        CHECK(asked == 1);
    }
    CHECK(machine.names("layers") == stored.diff_ids());
    CHECK(machine.names("incoming").empty());
}

TEST_CASE("layers come several at a time") {
    if (is_missing("docker-registry") ||
        must_skip(base::usable_cores() < 2, "one core unpacks one layer at a time"))
        return;
    const Stored stored({{TarBuilder().file("a")}, {TarBuilder().file("b")}});
    base::Guarded<int> asked(0);
    const auto both_were_asked_for = [&](const Request& request) {
        for (const auto& layer : stored.image().layers())
            if (asks_for(request, layer)) {
                auto count = asked.lock();
                ++*count;
                asked.notify_all();
                count.wait([](int now) { return now >= 2; });
            }
        return Fault{};
    };
    FaultProxy proxy(the_registry().host(), both_were_asked_for);
    base::StopSource patience;
    const Machine machine(proxy.host());
    const auto given_up = base::Stop(patience.stop()).within(30s);
    CHECK_NOTHROW(machine.unpack(stored, given_up));
    *asked.lock() = 2;
    asked.notify_all();
}

TEST_CASE("what is not the image's layer is never kept") {
    if (is_missing("docker-registry")) return;
    const std::string large = some_bytes(3'000'000, 5);
    Stored stored({{TarBuilder().file("a", large)}, {TarBuilder().file("b", large)}});
    struct Row {
        const char* what;
        Fault fault;
        bool mended;
    };
    for (const auto& row :
         {Row{"a byte that changes", {.flip_answer = 1'000'000}, false},
          Row{"a download that breaks", {.cut_answer = 2'000'000}, true},
          Row{"another blob", {.answer = FakeServer::answer(200, {}, large)}, false},
          Row{"no blob", {.answer = FakeServer::answer(404, {}, "")}, false}}) {
        INFO(row.what);
        base::Guarded<int> times(0);
        FaultProxy proxy(the_registry().host(), [&](const Request& request) {
            return asks_for(request, stored.image().layers()[1]) && ++*times.lock() == 1 ? row.fault
                                                                                         : Fault{};
        });
        const Machine machine(proxy.host());
        CHECK(machine.refusal_of(stored).empty() == row.mended);
        CHECK(machine.names("incoming").empty());
        CHECK(machine.names("layers").contains(stored.image().layers()[1].diff_id.hex()) ==
              row.mended);
        CHECK(machine.refusal_of(stored).empty());
        CHECK(machine.names("layers") == stored.diff_ids());
    }
}

TEST_CASE("a layer whose content is not what the configuration says is refused") {
    if (is_missing("docker-registry")) return;
    Stored stored({{TarBuilder().file("a")}}, Family::oci, DiffIds::wrong);
    const Machine machine;
    CHECK(machine.refusal_of(stored).find("configuration") != std::string::npos);
    CHECK(machine.names("layers").empty());
    CHECK(machine.names("incoming").empty());
}

TEST_CASE("a layer that leans on those below is another one on another base") {
    if (is_missing("docker-registry") || is_not_root()) return;
    const TarBuilder leaning = TarBuilder().file("tmp/a").hard_link("copy", "etc/name");
    const auto on = [&](const char* name, unsigned mode) {
        return Stored(
            {{TarBuilder().directory("tmp", mode).directory("etc").file("etc/name", name)},
             {leaning},
             {TarBuilder().file("tmp/b")}});
    };
    const Stored first = on("first", 01777), second = on("second", 0700);
    const Machine machine;
    const auto one = machine.unpack(first), other = machine.unpack(second);
    CHECK(one[1] != other[1]);
    CHECK(base::read_file(one[1] / "copy") == "first");
    CHECK(base::read_file(other[1] / "copy") == "second");
    for (const auto n : {0, 1}) {
        CHECK((mode_of(one[n] / "tmp") & 07777) == 01777);
        CHECK((mode_of(other[n] / "tmp") & 07777) == 0700);
    }
    CHECK(machine.unpack(first) == one);
    auto known = registry::layer_names(first.image());
    known.merge(registry::layer_names(second.image()));
    for (const auto& name : machine.names("layers")) CHECK(known.contains(name));
    CHECK(machine.names("layers").size() == 6);
}

TEST_CASE("a layer that an image has twice lies once, and on top, where all are mounted") {
    if (is_missing("docker-registry") || is_not_root()) return;
    const TarBuilder twice = TarBuilder().directory("etc").file("etc/name", "twice");
    const Stored stored(
        {{twice}, {TarBuilder().directory("etc").file("etc/name", "between").file("b")}, {twice}});
    const Machine machine;
    const auto paths = machine.unpack(stored);
    REQUIRE(paths.size() == 2);
    CHECK(base::read_file(paths[0] / "etc/name") == "twice");
    CHECK(base::read_file(paths[1] / "etc/name") == "between");
    const auto lower = "lowerdir=" + paths[0].string() + ":" + paths[1].string();
    const base::TempDir merged("merged");
    const bool mounted = ::mount("overlay", merged.path().c_str(), "overlay", MS_RDONLY,
                                 (lower + ",userxattr").c_str()) == 0;
    if (must_skip(!mounted, "no overlayfs can be mounted here")) return;
    CHECK(base::read_file(merged.path() / "etc/name") == "twice");
    CHECK(fs::exists(merged.path() / "b"));
    ::umount2(merged.path().c_str(), MNT_DETACH);
}

TEST_CASE("below a layer that hides everything nothing is mounted") {
    if (is_missing("docker-registry") || is_not_root()) return;
    const Stored stored({{TarBuilder().directory("etc").file("etc/old")},
                         {TarBuilder().file(".wh..wh..opq").directory("etc").file("etc/new")},
                         {TarBuilder().file("etc/newer")}});
    const Machine machine;
    const auto paths = machine.unpack(stored);
    REQUIRE(paths.size() == 2);
    CHECK(fs::exists(paths[0] / "etc/newer"));
    CHECK(fs::exists(paths[1] / "etc/new"));
}

TEST_CASE("what a killed build left goes, what another is writing stays") {
#if defined(__SANITIZE_THREAD__)
    WARN("skipped: ThreadSanitizer gives no thread to a process that was forked from several");
    return;
#endif
    if (is_missing("docker-registry")) return;
    const Stored large({{TarBuilder()
                             .file("first", some_bytes(2'000'000, 7))
                             .file("rest", some_bytes(2'000'000, 8))}});
    const Stored small({{TarBuilder().file("small")}});
    FaultProxy proxy(the_registry().host(), [&](const Request& request) -> Fault {
        if (!asks_for(request, large.image().layers()[0])) return {};
        return {.bytes_per_second = 1'000'000};
    });
    const Machine slow(proxy.host());
    const pid_t build = ::fork();
    REQUIRE(build >= 0);
    if (build == 0) {
        slow.refusal_of(large);
        ::_exit(0);
    }
    const auto half =
        slow.directory.path() / "incoming" / large.image().layers()[0].diff_id.hex() / "first";
    while (!fs::exists(half) && ::waitpid(build, nullptr, WNOHANG) == 0) base::Stop().wait(1ms);
    REQUIRE(fs::exists(half));

    const Machine fast; // its own way to the registry, the same directory
    const registry::ImageStore store(slow.directory.path(), {});
    store.unpack(store.read(small.reference(fast.host), {}), {});
    CHECK(slow.names("incoming") == large.diff_ids());
    REQUIRE(::kill(build, SIGKILL) == 0);
    REQUIRE(::waitpid(build, nullptr, 0) == build);
    CHECK(slow.names("incoming") == large.diff_ids());

    const Stored another({{TarBuilder().file("another")}});
    store.unpack(store.read(another.reference(fast.host), {}), {});
    CHECK(slow.names("incoming").empty());
    CHECK(slow.names("layers").size() == 2);
}

TEST_CASE("a full disk is said so, and is not full any more afterwards") {
    if (is_missing("docker-registry") || is_not_root()) return;
    const Stored stored(
        {{TarBuilder().file("small")}, {TarBuilder().file("large", some_bytes(6'000'000, 9))}});
    const base::TempDir directory("full");
    const bool mounted = ::mount("tmpfs", directory.path().c_str(), "tmpfs", 0, "size=4m") == 0;
    if (must_skip(!mounted, "nothing can be mounted here")) return;
    const auto unpack = [&] {
        const registry::ImageStore store(directory.path(), {});
        return store.unpack(store.read(stored.reference(the_registry().host()), {}), {});
    };
    const auto free_bytes = [&] { return fs::space(directory.path()).free; };
    try {
        unpack();
        FAIL_CHECK("nothing was thrown");
    } catch (const base::Error& error) {
        CHECK(error.kind() == base::ErrorKind::unavailable);
        CHECK(error.message().find("large") != std::string::npos);
        CHECK_FALSE(error.hint().empty());
    }
    CHECK(fs::is_empty(directory.path() / "incoming"));
    CHECK(free_bytes() > 3'500'000);
    CHECK(::mount("", directory.path().c_str(), "", MS_REMOUNT, "size=16m") == 0);
    CHECK_NOTHROW(unpack());
    ::umount2(directory.path().c_str(), MNT_DETACH);
}
