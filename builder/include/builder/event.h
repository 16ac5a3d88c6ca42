// What a worker says while it works: JSON lines on descriptor 3. The queue stores them, the API,
// the CLI's --json and the pusher's screen show the same.
#pragma once

#include "base/error.h"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace builder {

enum class Phase { fetch, detect, restore, build, export_, publish };
std::string_view to_string(Phase phase) noexcept; // "export" for export_
std::optional<Phase> parse_phase(std::string_view name) noexcept;

struct ProcessType {
    std::string type;
    std::string command; // for people
    bool is_default = false;
};

struct Published {
    std::string reference;  // with the digest, as one would pull it
    std::string digest;     // "sha256:..."
    std::uint64_t size = 0; // compressed bytes of the image
    std::vector<ProcessType> processes;
    std::string inputs = {}; // what it was built from, as a key (job.h, KnownInputs); empty: no key
    std::string same_as = {}; // the build that made it from equal inputs; empty: this one
};

// The user's to fix: the log already says what and how.
struct Refused {
    Phase phase;
    base::ErrorKind kind;
    std::string reason;
    std::string hint;
};

// Ours or the operator's to fix.
struct Broken {
    Phase phase;
    base::ErrorKind kind;
    std::string reason;
    std::string hint;
};

struct Cancelled {
    std::string why;
};

// The end of a job that only asked which buildpacks would build (Mode::detect).
struct Detected {
    std::vector<std::string> group; // "id@version", in order
};

using Outcome = std::variant<Published, Refused, Broken, Cancelled, Detected>;

struct LogLine {
    std::string text; // complete, printable, in the field's convention ("-----> ", "       ")
};
struct PhaseStarted {
    Phase phase;
};
struct PhaseFinished {
    Phase phase;
    std::int64_t milliseconds = 0;
};

// Something about the build that is kept beside its log: "detection"
// (docs/buildpacks/detection.md), "report" (a classic buildpack's bin/report), "materials"
// (builder/materials.h). At most 1 MiB.
struct Record {
    std::string name;
    std::string json;
};

// PhaseFinished{fetch} also means: the source has left the repository's quarantine; the pusher may
// go. An Outcome is the last event.
using Event = std::variant<LogLine, PhaseStarted, PhaseFinished, Record, Outcome>;

// One line without the newline: {"event":"log","text":...}, {"event":"phase","phase":"detect",
// "state":"started"}, {"event":"phase",...,"state":"finished","milliseconds":12},
// {"event":"record","record":"detection","value":{...}},
// {"event":"outcome","outcome":"published"|"refused"|"broken"|"cancelled"|
// "detected",...}.
std::string render(const Event& event);
Event parse_event(std::string_view line);

} // namespace builder
