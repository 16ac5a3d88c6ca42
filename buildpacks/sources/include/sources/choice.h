// Which buildpacks an app wants, by one documented precedence (docs/buildpacks/choice.md):
//   1 push option or command line   2 the app's ordered list   3 BUILDPACK_URL   4 BUILDPACK_NAME
//   5 project.toml group            6 .buildpacks              7 scalingo.json, app.json
//   8 none: detection over the builder's or the bundled order
// Reads the app's files with distrust; draws no conclusion about what exists. Any thread.
#pragma once

#include "sources/project.h"
#include "sources/uri.h"

#include <cstddef>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace sources {

struct Wanted {
    std::string text; // as written, for messages
    std::variant<Uri, InlineScript> what;
    bool optional = false;
};

struct Choice {
    std::string rule; // one sentence's subject for the log: "the file .buildpacks"
    std::vector<Wanted> buildpacks;
    std::vector<Wanted> pre, post; // of project.toml: around every group
    Project project;               // its build environment, include/exclude
    std::vector<std::string> warnings;
    bool automatic() const { return buildpacks.empty(); }
};

// scalingo.json or app.json above a PROJECT_DIR.
struct ParentJson {
    std::string file; // from the root of the source
    std::string text;
};

struct Question {
    std::filesystem::path app;                      // the source, below which all paths lie
    std::vector<std::string> given;                 // rules 1 and 2, in order; empty: none
    std::string given_by;                           // "the push option", "the app's list"
    std::map<std::string, std::string> environment; // BUILDPACK_URL, BUILDPACK_NAME
    std::vector<ParentJson> parents_json;           // nearest first
};

// Throws Error{invalid_input} that names the file and the line.
Choice choose(const Question& question);

// One entry of a .buildpacks file and the line it stands in, from 1.
struct Entry {
    std::string text;
    std::size_t line;
    bool operator==(const Entry&) const = default;
};
// Line ends of either kind; blank lines and comments left out; exposed for tests.
std::vector<Entry> parse_dot_buildpacks(std::string_view text);

} // namespace sources
