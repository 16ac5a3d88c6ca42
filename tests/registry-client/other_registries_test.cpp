// Registries that Debian does not have, where tests/registry-client/install_registries has put
// them: the same contract holds. Never a failure for their lack: they come over the network.
#include "registry/repository.h"

#include "blob_store_contract.h"
#include "listening_process.h"

#include "base/process.h"

#include <catch2/catch.hpp>
#include <cstdlib>
#include <iostream>

namespace {

namespace fs = std::filesystem;

// The program; empty, with a line on standard error: it was not installed.
std::string installed(const std::string& name) {
    const char* directory = std::getenv("SLIPWAY_TEST_REGISTRIES");
    const char* home = std::getenv("HOME");
    const fs::path path =
        (directory && *directory ? fs::path(directory)
                                 : fs::path(home ? home : "/") / ".cache/slipway-registries") /
        name;
    if (fs::exists(path)) return path.string();
    std::cerr << "SKIP: " << path.string() << " is not there\n";
    return {};
}

std::string fresh_name() {
    static int count = 0;
    return "team/other-" + std::to_string(++count);
}

void check(const std::string& host, bool removal_takes_tags) {
    const auto name = fresh_name();
    const auto writer = registry::open_repository(host, name, {});
    const auto reader = registry::open_repository(host, name, {});
    contract::check_blob_store(*writer, *reader, removal_takes_tags);
}

// Larger than one chunk, and mounted from one repository into another.
void check_large(const std::string& host) {
    std::string bytes(12'000'000, 'l');
    for (std::size_t i = 0; i < bytes.size(); i += 3) bytes[i] = static_cast<char>(i / 3 * 11);
    const auto from = fresh_name(), to = fresh_name();
    const auto store = registry::open_repository(host, from, {});
    const auto done = store->stream_blob([&](const image::ByteSink& sink) { sink(bytes); }, {});
    std::string back;
    store->read_blob({"", done.digest, done.size}, [&](std::string_view part) { back += part; },
                     {});
    CHECK((back == bytes));
    const base::TempDir directory("other");
    const auto path = directory.path() / "blob";
    base::write_file(path, bytes);
    const image::BlobFile blob{{"", done.digest, done.size}, path};
    const auto target = registry::open_repository(host, to, {});
    if (!target->mount_blob(blob.descriptor, from, {})) target->write_blob(blob, {});
    CHECK(target->find_missing({blob.descriptor}, {}).empty());
}

} // namespace

TEST_CASE("go-containerregistry's registry keeps the contract of a blob store") {
    const auto program = installed("go-containerregistry");
    if (program.empty()) return;
    static const ListeningProcess process({program, "-port", "0"}, {}, "serving on port ");
    check(process.host(), false); // a tag outlives its manifest's digest
    check_large(process.host());
}

TEST_CASE("distribution 3 keeps the contract of a blob store") {
    const auto program = installed("distribution");
    if (program.empty()) return;
    static const base::TempDir directory("distribution");
    base::write_file(directory.path() / "config.yml",
                     "version: 0.1\nstorage: {filesystem: {rootdirectory: " +
                         (directory.path() / "data").string() +
                         "}, delete: {enabled: true}}\n"
                         "http: {addr: '127.0.0.1:0', secret: of-a-test}\n");
    static const ListeningProcess process(
        {program, "serve", (directory.path() / "config.yml").string()},
        {"OTEL_TRACES_EXPORTER=none"}, "listening on 127.0.0.1:");
    check(process.host(), true);
    check_large(process.host());
}
