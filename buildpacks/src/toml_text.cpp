#include "buildpacks/toml_text.h"

#include "base/error.h"

#include <nlohmann/json.hpp>
#include <toml++/toml.h>

#include <sstream>

namespace buildpacks {
namespace {

using nlohmann::json;

template <class T>
std::string as_text(const T& value) {
    std::ostringstream stream;
    stream << value;
    return stream.str();
}

json to_json(const toml::node& node) {
    if (const auto* table = node.as_table()) {
        json object = json::object();
        for (const auto& [key, value] : *table) object[std::string(key.str())] = to_json(value);
        return object;
    }
    if (const auto* array = node.as_array()) {
        json list = json::array();
        for (const auto& value : *array) list.push_back(to_json(value));
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

toml::table to_table(const json& object);
toml::array to_array(const json& list);

// Calls `into` with the TOML value that a JSON value means; null means nothing.
template <class Into>
void put(const json& value, Into&& into) {
    if (value.is_object()) into(to_table(value));
    if (value.is_array()) into(to_array(value));
    if (value.is_string()) into(value.get<std::string>());
    if (value.is_boolean()) into(value.get<bool>());
    if (value.is_number_integer()) into(value.get<std::int64_t>());
    if (value.is_number_float()) into(value.get<double>());
}

toml::array to_array(const json& list) {
    toml::array array;
    for (const auto& element : list)
        put(element, [&](auto&& item) { array.push_back(std::forward<decltype(item)>(item)); });
    return array;
}

toml::table to_table(const json& object) {
    toml::table table;
    for (const auto& [key, value] : object.items())
        put(value, [&, &name = key](auto&& item) {
            table.insert_or_assign(name, std::forward<decltype(item)>(item));
        });
    return table;
}

} // namespace

json toml_to_json(std::string_view text, std::string_view what) {
    try {
        return to_json(toml::parse(text, what));
    } catch (const toml::parse_error& error) {
        throw base::Error(base::ErrorKind::invalid_input,
                          std::string(what) + ", line " +
                              std::to_string(error.source().begin.line) + ": " +
                              std::string(error.description()));
    }
}

std::string json_to_toml(const json& table) {
    // Plain strings, as the lifecycle writes them: buildpacks in shell read these files with sed.
    constexpr auto flags =
        toml::toml_formatter::default_flags &
        ~(toml::format_flags::allow_literal_strings | toml::format_flags::allow_multi_line_strings |
          toml::format_flags::indentation);
    const auto rendered = to_table(table);
    toml::toml_formatter formatter{rendered, flags};
    std::ostringstream stream;
    stream << formatter << "\n";
    return stream.str();
}

} // namespace buildpacks
