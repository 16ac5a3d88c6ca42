// What the queue hands to a worker: one JSON object on its standard input. It is whole: a worker
// asks nobody, so that tomorrow it may run on another host. A value; parse and render are inverse.
#pragma once

#include "builder/event.h"

#include "base/secret.h"
#include "image/image.h"

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace builder {

// A commit that a push brought: in the repository or still in its quarantine.
struct GitTree {
    std::filesystem::path repository;
    std::string commit;               // 40 hex digits
    std::filesystem::path quarantine; // objects directory of the push; empty when there is none
};

// An archive (tar, gzip, ...) in a file of ours, as `slipway build DIR` makes one.
struct Archive {
    std::filesystem::path file;
    bool strip_single_root = false; // an upload may hold its files in one directory
};

// An archive that the worker downloads. A stranger may have named the URL (http/address.h).
struct RemoteArchive {
    std::string url;
    std::string checksum; // "sha256:<hex>"; empty: whatever comes
};

// A commit that the worker fetches, shallowly, from a repository that the app's owner configured.
struct RemoteCommit {
    std::string url;         // "https://..." or "ssh://git@host/path"
    std::string commit;      // 40 hex digits
    std::string ref;         // where it was seen: for servers that hand out no bare commits
    base::Secret token;      // of HTTPS; goes to the URL's own host alone
    base::Secret ssh_key;    // private, OpenSSH's format
    std::string known_hosts; // lines; of an SSH URL these hosts alone are trusted
};

using Source = std::variant<GitTree, Archive, RemoteArchive, RemoteCommit>;

// Where a source can be had again after a crash: what a build's row keeps. Without secrets: whoever
// makes the job adds them. parse_source is the inverse.
std::string render_source(const Source& source);
Source parse_source(std::string_view json);
// "git", "archive", "url", "commit".
std::string_view kind_of(const Source& source) noexcept;

// What somebody asked of one build (push options, the API's "options").
struct BuildOptions {
    std::vector<std::string> buildpacks;             // instead of every other choice
    std::map<std::string, base::Secret> environment; // for this build alone, over the app's
    bool no_cache = false;                           // neither read nor kept
    bool dry_run = false;                            // stop after detection
    bool verbose = false; // log what detection said, and the environment's names
    // Nobody's wish but a fact of the source: it comes from a fork, whose author may see nothing
    // of the app's.
    bool of_stranger = false;
};

struct StackImages {
    std::string name;         // "debian-12"
    std::string build;        // reference, with a digest
    std::string run;          // reference, with a digest
    std::string classic_name; // STACK of classic buildpacks; empty: the image's, else `name`
};

struct RegistryTarget {
    std::string registry;      // host[:port]
    std::string repository;    // path
    std::string tag;           // moved to the new image
    std::string shown_as = {}; // host[:port] for people, where theirs is another one
};

struct LayoutTarget {
    std::filesystem::path directory;
    std::string tag;
};

// No target: build and compute the digest, keep nothing.
struct NoTarget {};

using Target = std::variant<RegistryTarget, LayoutTarget, NoTarget>;

struct RegistryAccess {
    std::string user;
    base::Secret password;
    std::string certificate = {}; // PEM, the chain, ours first; empty: none
    base::Secret key = {};        // PEM, of the certificate
    // It reads nothing that this build may not: it goes with images that the source names, too.
    bool of_this_build = false;
};

struct JobLimits {
    std::uint64_t memory_bytes = 4ull << 30;
    std::uint64_t pids = 2048;
    double cpus = 0;
    std::chrono::seconds time{1800};   // of the whole build
    std::chrono::seconds silence{600}; // without a byte of output
    std::uint64_t log_bytes = 64ull << 20;
    std::uint64_t source_bytes = 2ull << 30;
    std::uint64_t source_entries = 500'000;
    std::uint64_t archive_bytes = 2ull << 30; // of one that is downloaded, as it comes
    std::uint64_t archive_ratio = 1000;       // how many times it may grow when it is unpacked
    std::uint64_t source_depth = 128;         // directories in one another
    std::chrono::seconds source_time{600};    // of the download and of the unpacking
};

// Buildpacks that somebody named outside of the source; without any, the source decides.
struct GivenBuildpacks {
    std::vector<std::string> uris; // sources/uri.h, in order
    std::string by;                // "the push option", "the app's list"
};

// Whom a build may call for buildpacks (sources/fetcher.h).
struct SourceAccess {
    bool any_host = false;   // `slipway build`: a person names the URLs
    bool any_folder = false; // folders outside of the source too
    bool submodules = false;
    std::vector<std::string> allowed_private_hosts;
};

// A build of the app whose image may stand for this one's.
struct FinishedBuild {
    std::string id;
    Published published; // with its inputs
};

// The same inputs give the same image: they are hashed to a key, and a build whose key a finished
// one has answers with its image (docs/decisions/0015-the-same-inputs-build-once.md).
struct KnownInputs {
    base::Secret secret;                 // of the app's keys; empty: no key is made
    std::vector<FinishedBuild> finished; // newest first
};

enum class Mode { build, detect };       // detect: stop after it
enum class SlugIgnore { after, before }; // the build

struct Job {
    std::string id; // of the build
    std::string app;
    Source source;
    StackImages stack;
    Target target;
    Mode mode = Mode::build;
    bool no_cache = false; // neither restored nor kept
    // Whoever signs for the image is told what it was made from; its merged bills go to the target.
    bool materials = true;
    bool verbose = false;
    KnownInputs inputs;
    std::string previous; // digest of the app's image before this one; empty for the first
    std::string revision; // SOURCE_VERSION: the commit, or a name of the archive
    GivenBuildpacks buildpacks;
    SourceAccess source_access;
    // Hosts ("name", "name:port") that the source itself may come from though they are not public.
    std::vector<std::string> allowed_private_hosts;
    std::filesystem::path sources_directory; // fetched buildpacks, shared by all builds
    SlugIgnore slug_ignore = SlugIgnore::after;
    bool variables_in_environment = false; // of classic buildpacks; else in ENV_DIR alone
    std::uint64_t cache_bytes = 0;         // of this app's cache; 0: no limit
    image::Compression compression = image::Compression::gzip; // of the layers that are made
    std::vector<std::filesystem::path> buildpack_directories;  // each with an order.toml
    std::filesystem::path launcher_directory;                  // slipway-launch, slipway-init
    std::filesystem::path images_directory;         // unpacked stack layers, shared by all builds
    std::filesystem::path cache_directory;          // of this app alone; empty: no cache
    std::filesystem::path work_directory;           // of this build alone; removed at its end
    std::map<std::string, std::string> environment; // given to buildpacks
    std::set<std::string> operator_variables;       // names of these that are the operator's own
    // Service bindings for the build alone: name -> file ("type", "provider", ...) -> content.
    std::map<std::string, std::map<std::string, std::string>> bindings;
    std::filesystem::path ca_file;    // extra CA certificates, for the build and for our own calls
    std::string network = "internet"; // or "none"
    std::string runtime = "crun";
    unsigned first_id = 0;
    JobLimits limits;
    std::vector<std::string> insecure_registries;
    std::map<std::string, RegistryAccess>
        registry_credentials; // by host[:port]; never in the sandbox

    static Job parse(std::string_view json);
    std::string render() const; // reveals the credentials: for the worker's standard input alone
};

} // namespace builder
