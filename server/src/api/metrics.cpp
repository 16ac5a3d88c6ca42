#include "metrics.h"

#include "base/error.h"
#include "base/fd.h"

#include <ctime>
#include <sstream>
#include <unistd.h>

namespace server::api {
namespace {

const std::vector<double> request_bounds{0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5, 30};
const std::vector<double> build_bounds{1, 5, 10, 30, 60, 120, 300, 600, 1800, 3600};
const std::vector<double> wait_bounds{0.1, 1, 5, 10, 30, 60, 120, 300, 600, 1800};

Histogram& of(std::map<std::string, Histogram>& histograms, const std::string& name,
              const std::vector<double>& bounds) {
    return histograms.try_emplace(name, bounds).first->second;
}

double seconds_between(std::int64_t from, std::int64_t to) {
    return static_cast<double>(to - from) / 1000;
}

struct Process {
    std::uint64_t resident_bytes = 0, descriptors = 0;
    double processor_seconds = 0;
};

Process look_at_self() {
    Process self;
    std::uint64_t pages = 0;
    std::istringstream memory(base::read_file("/proc/self/statm"));
    memory >> pages >> pages; // the second number
    self.resident_bytes = pages * static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
    for ([[maybe_unused]] const auto& entry : std::filesystem::directory_iterator("/proc/self/fd"))
        ++self.descriptors;
    timespec used{};
    ::clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used);
    self.processor_seconds =
        static_cast<double>(used.tv_sec) + static_cast<double>(used.tv_nsec) / 1e9;
    return self;
}

void render_process(Exposition& text) {
    Process self;
    try {
        self = look_at_self();
    } catch (const std::exception&) {
        return; // out of descriptors: the other numbers are worth more than none
    }
    text.family("process_resident_memory_bytes", "gauge", "Resident memory of the server.");
    text.sample({}, static_cast<double>(self.resident_bytes));
    text.family("process_open_fds", "gauge", "Open descriptors of the server.");
    text.sample({}, static_cast<double>(self.descriptors));
    text.family("process_cpu_seconds_total", "counter", "Processor time of the server.");
    text.sample({}, self.processor_seconds);
}

} // namespace

void Metrics::count_request(const std::string& method, const std::string& pattern, int status,
                            std::chrono::microseconds time) {
    // A stranger chooses the method: one that no route has is not worth a label of its own.
    const auto verb = pattern.empty() ? std::string("other") : method;
    auto state = state_.lock();
    ++state->requests[{verb, pattern, status}];
    state->request_seconds.try_emplace({verb, pattern}, request_bounds)
        .first->second.add(std::chrono::duration<double>(time).count());
}

void Metrics::count_build(const apps::Build& ended) {
    const std::string outcome(apps::to_string(ended.state));
    const auto door = ended.door.empty() ? std::string("git") : ended.door;
    auto state = state_.lock();
    ++state->builds[{outcome, door}];
    if (ended.started != 0)
        of(state->wait_seconds, door, wait_bounds)
            .add(seconds_between(ended.created, ended.started));
    if (ended.started != 0 && ended.finished != 0)
        of(state->build_seconds, outcome, build_bounds)
            .add(seconds_between(ended.started, ended.finished));
    for (const auto& [phase, milliseconds] : ended.phases) {
        state->phases[phase].seconds += static_cast<double>(milliseconds) / 1000;
        ++state->phases[phase].count;
    }
}

void Metrics::render_builds(Exposition& text, const State& state) {
    text.family("slipway_builds_total", "counter", "Builds that ended since the start.");
    for (const auto& [key, count] : state.builds)
        text.sample({{"state", key.first}, {"door", key.second}}, static_cast<double>(count));
    text.family("slipway_build_duration_seconds", "histogram", "From a build's start to its end.");
    for (const auto& [outcome, histogram] : state.build_seconds)
        text.histogram({{"state", outcome}}, histogram);
    text.family("slipway_queue_wait_seconds", "histogram", "From a build's row to its start.");
    for (const auto& [door, histogram] : state.wait_seconds)
        text.histogram({{"door", door}}, histogram);
    text.family("slipway_build_phase_seconds", "summary", "Time in each phase of builds.");
    for (const auto& [name, phase] : state.phases) {
        text.sample({{"phase", name}}, phase.seconds, "_sum");
        text.sample({{"phase", name}}, static_cast<double>(phase.count), "_count");
    }
}

void Metrics::render_requests(Exposition& text, const State& state) {
    text.family("slipway_http_requests_total", "counter", "Answered requests, by route.");
    for (const auto& [key, count] : state.requests)
        text.sample({{"method", std::get<0>(key)},
                     {"route", std::get<1>(key)},
                     {"status", std::to_string(std::get<2>(key))}},
                    static_cast<double>(count));
    text.family("slipway_http_request_duration_seconds", "histogram",
                "From a request's head to the end of its answer; of a followed log to where the "
                "log hub takes it over.");
    for (const auto& [key, histogram] : state.request_seconds)
        text.histogram({{"method", key.first}, {"route", key.second}}, histogram);
}

std::string Metrics::render(const Now& now) {
    Exposition text;
    text.family("slipway_info", "gauge", "The server's version.");
    text.sample({{"version", now.version}}, 1);
    text.family("slipway_builds", "gauge", "Builds in the database, by state.");
    std::int64_t queued = 0;
    for (const auto& [state, count] : now.builds) {
        text.sample({{"state", state}}, static_cast<double>(count));
        if (state == "received" || state == "queued") queued += count;
    }
    text.family("slipway_queue_length", "gauge", "Builds that wait.");
    text.sample({}, static_cast<double>(queued));
    {
        auto state = state_.lock();
        render_builds(text, *state);
        render_requests(text, *state);
    }
    text.family("slipway_store_errors_total", "counter",
                "Reads and writes that failed by the database's own fault: locked, gone, damaged, "
                "its disk full.");
    text.sample({}, static_cast<double>(now.store_errors));
    text.family("slipway_http_connections", "gauge", "Connections of the HTTP listeners.");
    text.sample({}, static_cast<double>(now.connections));
    text.family("slipway_log_followers", "gauge", "Readers that follow a build's log.");
    text.sample({}, static_cast<double>(now.followers));
    text.family("slipway_state_free_bytes", "gauge", "Free space of the state directory's disk.");
    text.sample({}, static_cast<double>(now.free_bytes));
    render_process(text);
    return text.text();
}

} // namespace server::api
