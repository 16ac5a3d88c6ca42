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

} // namespace buildpacks
