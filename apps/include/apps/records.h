// What the store keeps. Plain values; times are milliseconds since 1970, 0 means "not yet".
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace apps {

struct App {
    std::string name;
    std::int64_t created = 0;
    std::string owner = {};      // whose share of the workers it uses; empty: its own
    std::string repository = {}; // of its images in the registry; empty: its name

    const std::string& path() const noexcept { return repository.empty() ? name : repository; }
};

struct Key {
    std::string name;
    std::string fingerprint;       // "SHA256:..." as ssh-keygen -l prints it
    std::string type;              // "ssh-ed25519"
    std::string text;              // type and base64, without the comment
    std::vector<std::string> apps; // empty: every app
    std::int64_t added = 0;
};

// received: its source is not ours yet (a detached push whose ref git has not moved). exporting:
// the buildpacks have ended. superseded: a newer push of the ref took its turn. lost: its source
// died with the server, or it took its worker down too often. detected: a dry run, which builds
// nothing.
enum class BuildState {
    received,
    queued,
    running,
    exporting,
    published,
    refused,
    broken,
    cancelled,
    superseded,
    lost,
    detected
};
std::string_view to_string(BuildState state) noexcept;
BuildState parse_build_state(std::string_view name); // throws Error{invalid_input}
inline bool is_over(BuildState state) noexcept {
    return state > BuildState::exporting;
}

struct ProcessType {
    std::string type;
    std::string command;
    bool is_default = false;
};

struct Build {
    std::string id; // new_build_id()
    std::string app;
    BuildState state = BuildState::queued;
    std::string source_kind; // "git", "archive", "url", "commit"
    std::string commit;      // or the version that an upload's sender gave
    std::string ref;
    std::string pushed_by; // name of the key or the token
    std::string door = {}; // "git", "api", "webhook"
    std::string owner = {};
    int priority = 0;               // 0: somebody waits; 1: a webhook
    std::string source = {};        // builder::render_source: without secrets
    bool durable = false;           // the source outlives the server: queued again after a crash
    std::string options = {};       // JSON of what was asked of this build, without secrets
    std::string sealed = {};        // its environment, sealed (context "build/ID"); empty: none
    std::string sealed_source = {}; // of a URL, whole (context "source/ID"); empty: none
    std::string hook = {};          // the webhook that it came from
    std::string previous = {};      // where the ref stood when the push began
    // Its source is that of this build, the first one that had it; empty: a source of its own.
    std::string retry_of = {};
    int attempt = 0;
    std::string worker = {}; // who holds it
    std::int64_t created = 0;
    std::int64_t started = 0;
    std::int64_t finished = 0;
    std::vector<std::pair<std::string, std::int64_t>> phases; // name, milliseconds, in order
    std::string digest;    // of a published build: the commit point
    std::string reference; // with the digest
    std::uint64_t size = 0;
    std::vector<ProcessType> processes;
    std::string inputs = {};  // what it was built from, as a key; empty: no key was made
    std::string same_as = {}; // the build that made its image, from equal inputs; empty: itself
    // Its image is finished and lies with its worker, whose registry did not take it: then when it
    // is sent again, by the database's clock; 0: it is being sent.
    bool kept = false;
    std::int64_t tries_again = 0;
    std::string reason; // why it was not published
    std::string hint;
    std::string failed_phase;
};

struct Stack {
    std::string name;
    std::string build; // reference, with a digest
    std::string run;
    bool current = false;
};

// A letter and 12 lower-case characters; ids sort by the time they were made at.
std::string new_id(char letter);
inline std::string new_build_id() {
    return new_id('b');
}
std::int64_t now_milliseconds();

} // namespace apps
