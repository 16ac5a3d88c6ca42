// What the server counts while it runs, and what /metrics says of it. main owns the one Metrics;
// any thread.
#pragma once

#include "exposition.h"

#include "apps/records.h"
#include "base/guarded.h"

#include <chrono>
#include <cstdint>
#include <map>
#include <string>
#include <tuple>

namespace server::api {

class Metrics {
  public:
    // pattern: the route's, so that nobody's names become labels; "" for what no route answered.
    void count_request(const std::string& method, const std::string& pattern, int status,
                       std::chrono::microseconds time);
    void count_build(const apps::Build& ended);

    // What is asked of others at the moment of reading.
    struct Now {
        std::vector<std::pair<std::string, std::int64_t>> builds; // rows by state
        std::size_t connections = 0;
        std::size_t followers = 0;
        std::uint64_t store_errors = 0; // since the start
        std::uint64_t free_bytes = 0;
        std::string version;
    };
    std::string render(const Now& now);

  private:
    struct Phase {
        double seconds = 0;
        std::uint64_t count = 0;
    };
    struct State {
        std::map<std::tuple<std::string, std::string, int>, std::uint64_t> requests;
        std::map<std::pair<std::string, std::string>, Histogram> request_seconds;
        std::map<std::pair<std::string, std::string>, std::uint64_t> builds; // state, door
        std::map<std::string, Histogram> build_seconds;                      // by state
        std::map<std::string, Histogram> wait_seconds;                       // by door
        std::map<std::string, Phase> phases;
    };
    static void render_builds(Exposition& text, const State& state);
    static void render_requests(Exposition& text, const State& state);
    base::Guarded<State> state_;
};

} // namespace server::api
