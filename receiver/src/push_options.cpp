#include "receiver/push_options.h"

#include "base/text.h"

#include <algorithm>
#include <array>
#include <optional>
#include <utility>

namespace receiver {
namespace {

constexpr std::size_t most_options = 64;
constexpr std::size_t longest_option = 32u << 10;
constexpr std::size_t longest_together = 128u << 10;
constexpr std::size_t most_buildpacks = 32;
constexpr std::size_t longest_uri = 2000;
constexpr std::size_t longest_name = 128; // of a variable
constexpr std::size_t longest_shown = 60;
constexpr std::string_view variable_prefix = "env.";

struct Known {
    std::string_view name;
    std::string_view written;
    std::string_view meaning;
};
constexpr std::array<Known, 6> known{{
    {"detach", "detach", "answer at once, build alone"},
    {"no-cache", "no-cache", "build without the cache"},
    {"buildpack", "buildpack=URI", "use this buildpack; give it again for more"},
    {"env.", "env.KEY=value", "a variable for this build alone"},
    {"dry-run", "dry-run", "say which buildpacks would build, and stop"},
    {"verbose", "verbose", "say more"},
}};

struct Split {
    std::string_view name;
    std::optional<std::string_view> value;
};
Split split(std::string_view option) {
    const auto equals = option.find('=');
    if (equals == std::string_view::npos) return {option, std::nullopt};
    return {option.substr(0, equals), option.substr(equals + 1)};
}

std::string shown(std::string_view name) {
    if (name.size() <= longest_shown) return base::quoted(name);
    return base::quoted(std::string(name.substr(0, longest_shown)) + "...");
}

std::string line(std::string text) {
    return " !     " + std::move(text);
}
Refuse refuse(std::string text) {
    return Refuse{{line(std::move(text))}};
}

// Levenshtein's; both are short.
std::size_t distance(std::string_view a, std::string_view b) {
    std::vector<std::size_t> row(b.size() + 1);
    for (std::size_t j = 0; j <= b.size(); ++j) row[j] = j;
    for (std::size_t i = 1; i <= a.size(); ++i) {
        auto diagonal = std::exchange(row[0], i);
        for (std::size_t j = 1; j <= b.size(); ++j) {
            const auto changed = diagonal + (a[i - 1] == b[j - 1] ? 0 : 1);
            diagonal = row[j];
            row[j] = std::min({row[j] + 1, row[j - 1] + 1, changed});
        }
    }
    return row[b.size()];
}

// Case and the kind of dash do not count: people write no_cache and NoCache.
std::string plain(std::string_view name) {
    std::string text;
    for (const char c : name)
        if (c != '-' && c != '_' && c != '.')
            text += c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
    return text;
}

std::optional<std::string_view> nearest(std::string_view name) {
    if (name.size() > longest_shown) return std::nullopt;
    const auto wanted = plain(name);
    std::optional<std::string_view> found;
    std::size_t best = 3; // farther away it is another word
    for (const auto& option : known) {
        const auto candidate = plain(option.name);
        const auto far =
            wanted.size() >= 3 && candidate.starts_with(wanted) ? 0 : distance(wanted, candidate);
        if (far < best && far < candidate.size()) {
            best = far;
            found = option.written;
        }
    }
    return found;
}

Refuse refuse_unknown(std::string_view name) {
    auto refusal = refuse("There is no push option " + shown(name) + ".");
    if (const auto meant = nearest(name))
        refusal.lines.push_back(line("Did you mean: git push -o " + std::string(*meant)));
    refusal.lines.push_back(line("These are there:"));
    for (const auto& option : known) {
        std::string written = "    -o " + std::string(option.written);
        written.resize(std::max<std::size_t>(written.size() + 2, 22), ' ');
        refusal.lines.push_back(line(written + std::string(option.meaning)));
    }
    return refusal;
}

bool has_control(std::string_view text) {
    return std::any_of(text.begin(), text.end(),
                       [](unsigned char c) { return (c < 0x20 && c != '\t') || c == 0x7f; });
}

bool is_variable_name(std::string_view name) {
    const auto letter = [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
    };
    return !name.empty() && name.size() <= longest_name && letter(name.front()) &&
           std::all_of(name.begin(), name.end(),
                       [&](char c) { return letter(c) || (c >= '0' && c <= '9'); });
}

std::optional<Refuse> take_variable(PushOptions& options, const Split& option) {
    const auto name = option.name.substr(variable_prefix.size());
    if (!is_variable_name(name))
        return refuse("-o env.KEY=value needs a name of letters, digits and _, not " + shown(name) +
                      ".");
    if (!option.value)
        return refuse("-o env." + std::string(name) + " needs a value: -o env." +
                      std::string(name) + "=value");
    if (!options.environment.try_emplace(std::string(name), std::string(*option.value)).second)
        return refuse("-o env." + std::string(name) + " is given twice.");
    return std::nullopt;
}

std::optional<Refuse> take_buildpack(PushOptions& options, const Split& option) {
    const auto uri = option.value.value_or("");
    if (uri.empty()) return refuse("-o buildpack needs one: -o buildpack=URI");
    if (uri.size() > longest_uri || uri.find_first_of(" \t") != std::string_view::npos)
        return refuse("-o buildpack=URI takes one URI, without spaces, of at most " +
                      std::to_string(longest_uri) + " bytes.");
    if (options.buildpacks.size() == most_buildpacks)
        return refuse("-o buildpack can be given " + std::to_string(most_buildpacks) +
                      " times at most.");
    options.buildpacks.emplace_back(uri);
    return std::nullopt;
}

bool* flag_of(PushOptions& options, std::string_view name) {
    if (name == "detach") return &options.detach;
    if (name == "no-cache") return &options.no_cache;
    if (name == "dry-run") return &options.dry_run;
    if (name == "verbose") return &options.verbose;
    return nullptr;
}

std::optional<Refuse> take(PushOptions& options, const Split& option) {
    if (option.name.starts_with(variable_prefix)) return take_variable(options, option);
    if (option.name == "buildpack") return take_buildpack(options, option);
    bool* flag = flag_of(options, option.name);
    if (!flag) return refuse_unknown(option.name);
    if (option.value)
        return refuse("-o " + std::string(option.name) + " takes no value: leave the \"=\" out.");
    *flag = true;
    return std::nullopt;
}

std::optional<Refuse> check_sizes(const std::vector<std::string>& options) {
    std::size_t together = 0;
    if (options.size() > most_options)
        return refuse("One push takes " + std::to_string(most_options) + " options at most.");
    for (const auto& option : options) {
        together += option.size();
        if (option.size() > longest_option)
            return refuse("The push option " + shown(split(option).name) + " is longer than " +
                          base::human_bytes(longest_option) + ".");
        if (has_control(option))
            return refuse("The push option " + shown(split(option).name) +
                          " has a control character in it.");
    }
    if (together > longest_together)
        return refuse("The push options are longer than " + base::human_bytes(longest_together) +
                      " together.");
    return std::nullopt;
}

} // namespace

std::variant<PushOptions, Refuse> parse_push_options(const std::vector<std::string>& options) {
    if (auto refusal = check_sizes(options)) return std::move(*refusal);
    PushOptions parsed;
    for (const auto& option : options)
        if (auto refusal = take(parsed, split(option))) return std::move(*refusal);
    if (parsed.detach && parsed.dry_run)
        return refuse("-o dry-run builds nothing that -o detach could leave alone: give one of "
                      "them.");
    return parsed;
}

} // namespace receiver
