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
};

struct Key {
    std::string name;
    std::string fingerprint;       // "SHA256:..." as ssh-keygen -l prints it
    std::string type;              // "ssh-ed25519"
    std::string text;              // type and base64, without the comment
    std::vector<std::string> apps; // empty: every app
    std::int64_t added = 0;
};

enum class BuildState { queued, running, published, refused, broken, cancelled };
std::string_view to_string(BuildState state) noexcept;
BuildState parse_build_state(std::string_view name); // throws Error{invalid_input}
inline bool is_over(BuildState state) noexcept {
    return state > BuildState::running;
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
    std::string source_kind; // "git"
    std::string commit;
    std::string ref;
    std::string pushed_by; // name of the key
    std::int64_t created = 0;
    std::int64_t started = 0;
    std::int64_t finished = 0;
    std::vector<std::pair<std::string, std::int64_t>> phases; // name, milliseconds, in order
    std::string digest;    // of a published build: the commit point
    std::string reference; // with the digest
    std::uint64_t size = 0;
    std::vector<ProcessType> processes;
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

// "b" and 12 lower-case characters; ids sort by the time they were made at.
std::string new_build_id();
std::int64_t now_milliseconds();

} // namespace apps
