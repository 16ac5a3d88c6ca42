#include "pusher_text.h"

#include "base/text.h"

#include <algorithm>
#include <sstream>

namespace server {
namespace {

constexpr std::string_view body = "       ";
constexpr std::string_view error_mark = " !     ";

// Text of several lines, from a worker or an exception, each under its mark.
void add(Lines& lines, std::string_view mark, const std::string& text) {
    std::istringstream stream(text);
    for (std::string line; std::getline(stream, line);)
        lines.push_back(std::string(mark) + base::printable(line));
}

std::string short_ref(const std::string& ref) {
    constexpr std::string_view heads = "refs/heads/";
    return ref.starts_with(heads) ? ref.substr(heads.size()) : ref;
}

std::string timings(const apps::Build& build) {
    std::string text;
    for (const auto& [phase, milliseconds] : build.phases)
        text += (text.empty() ? "" : ", ") + phase + " " + base::human_duration(milliseconds);
    const auto whole =
        base::human_duration(std::max<std::int64_t>(0, build.finished - build.started));
    return text.empty() ? whole : whole + " (" + text + ")";
}

Lines tell_published(const apps::Build& build) {
    const bool has_web = std::any_of(build.processes.begin(), build.processes.end(),
                                     [](const auto& p) { return p.type == "web" || p.is_default; });
    Lines lines{"-----> Published " + build.app};
    add(lines, body, "Image:  " + build.reference);
    add(lines, body, "Digest: " + build.digest);
    add(lines, body, "Size:   " + base::human_bytes(build.size) + " compressed");
    if (!build.same_as.empty())
        add(lines, body, "Made by build " + build.same_as + ", from the same inputs");
    add(lines, body, "Time:   " + timings(build));
    for (const auto& process : build.processes)
        add(lines, body,
            "Process " + process.type + (process.is_default ? " (default)" : "") + ": " +
                process.command);
    add(lines, body,
        "Run it: docker run --rm " + std::string(has_web ? "-p 8080:8080 -e PORT=8080 " : "") +
            build.reference);
    return lines;
}

} // namespace

Lines announce(const apps::Build& build) {
    Lines lines;
    auto what = "Building " + build.app;
    if (!build.commit.empty()) what += " from " + build.commit.substr(0, 12);
    if (!build.ref.empty()) what += " (" + short_ref(build.ref) + ")";
    add(lines, "-----> ", what);
    add(lines, body,
        "Build " + build.id + "; on the server: slipway builds log " + build.id + " --follow");
    return lines;
}

std::string waiting_line(std::int64_t ahead, std::optional<std::chrono::seconds> estimate) {
    std::string line =
        "-----> " + std::to_string(ahead) + " build" + (ahead == 1 ? "" : "s") + " before this one";
    if (!estimate) return line;
    const auto minutes = (estimate->count() + 30) / 60;
    return line + "; about " +
           (estimate->count() < 60
                ? std::to_string(std::max<std::int64_t>(1, estimate->count())) + " s"
                : std::to_string(minutes) + " min");
}

Lines tell_parked(const apps::Build& build) {
    Lines lines;
    add(lines, error_mark, "The image is built, but not published: " + build.reason);
    add(lines, body, build.hint);
    add(lines, body, "See how it goes: slipway builds info " + build.id);
    return lines;
}

Lines tell_restart(const apps::Build& build, int most_attempts) {
    Lines lines;
    if (build.kept) {
        add(lines, "-----> ", "The server takes the build up again; it sends the image");
        return lines;
    }
    add(lines, "-----> ",
        "The server was restarted" +
            (build.attempt == 0 ? std::string("; the build waits in the queue again")
                                : "; this will be attempt " + std::to_string(build.attempt + 1) +
                                      " of " + std::to_string(most_attempts)));
    return lines;
}

std::string superseded_by(const apps::Build& newer) {
    const auto what =
        newer.ref.empty() ? "a newer build" : "a newer push of " + short_ref(newer.ref);
    return what + " took its turn: build " + newer.id;
}

Lines tell_outcome(const apps::Build& build) {
    using apps::BuildState;
    if (build.state == BuildState::published) return tell_published(build);
    Lines lines;
    const auto where =
        build.failed_phase.empty() ? "" : " (in the " + build.failed_phase + " phase)";
    if (build.state == BuildState::cancelled) {
        add(lines, error_mark, "The build was cancelled: " + build.reason);
    } else if (build.state == BuildState::superseded) {
        add(lines, error_mark, "The build was superseded: " + build.reason);
    } else if (build.state == BuildState::lost) {
        add(lines, error_mark, "The build was lost: " + build.reason);
    } else if (build.state == BuildState::detected) {
        add(lines, "-----> ", "Nothing was built: " + build.reason);
    } else if (build.state == BuildState::refused) {
        add(lines, error_mark, "The build failed" + where + ": " + build.reason);
    } else {
        add(lines, error_mark, "The build broke on the server" + where + ": " + build.reason);
        add(lines, error_mark,
            "This is not your app's fault. Tell the server's operator: incident " + build.id);
    }
    if (!build.hint.empty()) add(lines, body, build.hint);
    return lines;
}

Lines tell_detached(const std::string& build, const std::string& ssh_url) {
    Lines lines;
    add(lines, "-----> ", "Detached: build " + build + " goes on alone");
    add(lines, body, "The push is accepted now; what becomes of the build does not change that.");
    add(lines, body, "Follow it: ssh " + ssh_url + " builds follow " + build);
    return lines;
}

Lines tell_error(const base::Error& error) {
    Lines lines;
    add(lines, error_mark, error.message());
    if (!error.hint().empty()) add(lines, body, error.hint());
    return lines;
}

} // namespace server
