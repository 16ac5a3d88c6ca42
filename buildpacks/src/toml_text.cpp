#include "buildpacks/toml_text.h"

#include "base/error.h"

#include <nlohmann/json.hpp>
#include <toml++/toml.h>

#include <algorithm>
#include <sstream>

namespace buildpacks {
namespace {

using nlohmann::json;

constexpr int deepest = 60; // below what base::json::parse takes
// The parser bounds tables in tables, but not the parts of a key: `a.a.a = 1` is two tables, and
// its destructors call themselves for each. Every one of them takes a dot.
constexpr std::ptrdiff_t most_dots = 20'000;

[[noreturn]] void too_deep(std::string_view what) {
    throw base::Error(base::ErrorKind::invalid_input,
                      std::string(what) + " is nested deeper than 60 tables");
}

template <class T>
std::string as_text(const T& value) {
    std::ostringstream stream;
    stream << value;
    return stream.str();
}

json to_json(const toml::node& node, std::string_view what, int depth) {
    if (depth > deepest) too_deep(what);
    if (const auto* table = node.as_table()) {
        json object = json::object();
        for (const auto& [key, value] : *table)
            object[std::string(key.str())] = to_json(value, what, depth + 1);
        return object;
    }
    if (const auto* array = node.as_array()) {
        json list = json::array();
        for (const auto& value : *array) list.push_back(to_json(value, what, depth + 1));
        return list;
    }
    if (const auto* text = node.as_string()) return text->get();
    if (const auto* number = node.as_integer()) return number->get();
    if (const auto* real = node.as_floating_point()) return real->get();
    if (const auto* truth = node.as_boolean()) return truth->get();
    if (const auto* date = node.as_date()) return as_text(date->get());
    if (const auto* time = node.as_time()) return as_text(time->get());
    if (const auto* both = node.as_date_time()) return as_text(both->get());
    return nullptr;
}

} // namespace

json toml_to_json(std::string_view text, std::string_view what) {
    if (std::count(text.begin(), text.end(), '.') > most_dots)
        throw base::Error(base::ErrorKind::invalid_input,
                          std::string(what) + " has more than 20,000 dots in it");
    try {
        return to_json(toml::parse(text, what), what, 0);
    } catch (const toml::parse_error& error) {
        throw base::Error(base::ErrorKind::invalid_input,
                          std::string(what) + ", line " +
                              std::to_string(error.source().begin.line) + ": " +
                              std::string(error.description()));
    }
}

} // namespace buildpacks
