#include "base/json.h"

#include "base/error.h"

#include <nlohmann/json.hpp>

namespace base::json {
namespace {

constexpr int deepest = 64;

const Value* find(const Value& object, std::string_view name) {
    if (!object.is_object()) return nullptr;
    const auto it = object.find(std::string(name));
    return it == object.end() || it->is_null() ? nullptr : &*it;
}

[[noreturn]] void wrong(std::string_view name, std::string_view wanted) {
    throw Error(ErrorKind::invalid_input,
                "\"" + std::string(name) + "\" must be " + std::string(wanted));
}

std::string as_string(const Value& value, std::string_view name) {
    if (!value.is_string()) wrong(name, "a string");
    return value.get<std::string>();
}

std::int64_t as_integer(const Value& value, std::string_view name) {
    if (!value.is_number_integer()) wrong(name, "a whole number");
    return value.get<std::int64_t>();
}

// Looked at before anything is parsed: the parser's own callback for each value would take twice
// the time of the parsing.
bool is_too_deep(std::string_view text) {
    int depth = 0;
    bool in_string = false;
    for (std::size_t i = 0; i < text.size(); ++i) {
        const char c = text[i];
        if (in_string) {
            if (c == '\\') ++i;
            if (c == '"') in_string = false;
        } else if (c == '"') {
            in_string = true;
        } else if (c == '{' || c == '[') {
            if (++depth > deepest) return true;
        } else if (c == '}' || c == ']') {
            --depth;
        }
    }
    return false;
}

} // namespace

Value parse(std::string_view text, std::string_view what) {
    // The parser takes a NUL for the end, whatever stands behind it; JSON has none anywhere.
    auto value = is_too_deep(text) || text.find('\0') != text.npos
                     ? Value(Value::value_t::discarded)
                     : Value::parse(text, nullptr, false);
    if (value.is_discarded())
        throw Error(ErrorKind::invalid_input, std::string(what) + " is not valid JSON");
    return value;
}

std::string render(const Value& value) {
    return value.dump(-1, ' ', false, Value::error_handler_t::replace);
}

std::string get_string(const Value& object, std::string_view name) {
    const Value* value = find(object, name);
    if (!value) wrong(name, "given");
    return as_string(*value, name);
}

std::int64_t get_integer(const Value& object, std::string_view name) {
    const Value* value = find(object, name);
    if (!value) wrong(name, "given");
    return as_integer(*value, name);
}

std::vector<std::string> get_strings(const Value& object, std::string_view name) {
    std::vector<std::string> strings;
    const Value* value = find(object, name);
    if (!value) return strings;
    if (!value->is_array()) wrong(name, "a list of strings");
    for (const auto& element : *value) strings.push_back(as_string(element, name));
    return strings;
}

std::optional<std::string> find_string(const Value& object, std::string_view name) {
    const Value* value = find(object, name);
    if (!value) return std::nullopt;
    return as_string(*value, name);
}

std::optional<std::int64_t> find_integer(const Value& object, std::string_view name) {
    const Value* value = find(object, name);
    if (!value) return std::nullopt;
    return as_integer(*value, name);
}

bool find_bool(const Value& object, std::string_view name, bool otherwise) {
    const Value* value = find(object, name);
    if (!value) return otherwise;
    if (!value->is_boolean()) wrong(name, "true or false");
    return value->get<bool>();
}

} // namespace base::json
