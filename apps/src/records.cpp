#include "apps/records.h"

#include "base/error.h"
#include "base/guarded.h"

#include <algorithm>
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

// Nine characters of milliseconds (30^9 ms reach past the year 2590), three of chance. Within this
// process each is greater than the one before, whatever the clock does: of two pushes the later
// one must win.
std::string new_id(char letter) {
    static base::Guarded<std::uint64_t> last;
    constexpr std::uint64_t base = alphabet.size(), chances = base * base * base;
    std::uint64_t number = 0;
    {
        auto before = last.lock();
        static std::random_device chance;
        number = static_cast<std::uint64_t>(now_milliseconds()) * chances +
                 std::uniform_int_distribution<std::uint64_t>(0, chances - 1)(chance);
        number = *before = std::max(number, *before + 1);
    }
    std::string id(13, letter);
    for (std::size_t i = 12; i >= 1; --i, number /= base) id[i] = alphabet[number % base];
    return id;
}

} // namespace apps
