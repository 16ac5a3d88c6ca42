#include "apps/records.h"

#include "base/error.h"

#include <array>
#include <chrono>
#include <random>

namespace apps {
namespace {

constexpr std::array state_names{"received",   "queued",  "running", "exporting",
                                 "published",  "refused", "broken",  "cancelled",
                                 "superseded", "lost",    "detected"};
// In the order of their bytes, so that ids sort as the numbers do; no vowels, no look-alikes.
constexpr std::string_view alphabet = "0123456789bcdfghjkmnpqrstvwxyz";

} // namespace

std::string_view to_string(BuildState state) noexcept {
    return state_names[static_cast<std::size_t>(state)];
}

BuildState parse_build_state(std::string_view name) {
    for (std::size_t i = 0; i < state_names.size(); ++i)
        if (state_names[i] == name) return static_cast<BuildState>(i);
    throw base::Error(base::ErrorKind::invalid_input,
                      "there is no build state \"" + std::string(name) + "\"");
}

std::int64_t now_milliseconds() {
    return std::chrono::duration_cast<std::chrono::milliseconds>(
               std::chrono::system_clock::now().time_since_epoch())
        .count();
}

// Nine characters of milliseconds (30^9 ms reach past the year 2590), three of chance.
std::string new_id(char letter) {
    thread_local std::random_device chance;
    const auto base = alphabet.size();
    std::string id(13, letter);
    auto time = static_cast<std::uint64_t>(now_milliseconds());
    for (std::size_t i = 9; i >= 1; --i, time /= base) id[i] = alphabet[time % base];
    std::uniform_int_distribution<std::size_t> pick(0, base - 1);
    for (std::size_t i = 10; i <= 12; ++i) id[i] = alphabet[pick(chance)];
    return id;
}

} // namespace apps
