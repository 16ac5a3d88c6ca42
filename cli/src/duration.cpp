#include "duration.h"

#include "base/error.h"
#include "base/text.h"

#include <charconv>
#include <map>

namespace cli {

std::chrono::seconds parse_duration(const std::string& text) {
    static const std::map<std::string, std::int64_t> units{
        {"s", 1}, {"m", 60}, {"h", 3600}, {"d", 86400}, {"w", 7 * 86400}};
    constexpr std::int64_t longest = 100ll * 365 * 86400;
    std::int64_t number = 0;
    const auto [end, failure] = std::from_chars(text.data(), text.data() + text.size(), number);
    const auto unit = units.find(std::string(end, text.data() + text.size()));
    if (failure != std::errc() || unit == units.end() || number <= 0 ||
        number > longest / unit->second)
        throw base::Error(base::ErrorKind::invalid_input,
                          base::quoted(text) + " is no span of time", "Like 90d, 12h or 30m.");
    return std::chrono::seconds(number * unit->second);
}

} // namespace cli
