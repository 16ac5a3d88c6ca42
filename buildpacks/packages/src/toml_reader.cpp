#include "toml_reader.h"

#include "base/error.h"
#include "base/fd.h"
#include "base/text.h"

#include <algorithm>

namespace packages {
namespace {

constexpr std::size_t longest_file = 4u << 20;

} // namespace

toml::table parse_toml_file(const std::string& file) {
    const auto text = base::read_file(file, longest_file);
    try {
        return toml::parse(text, file);
    } catch (const toml::parse_error& error) {
        throw base::Error(base::ErrorKind::invalid_input,
                          file + ", line " + std::to_string(error.source().begin.line) + ": " +
                              std::string(error.description()));
    }
}

std::string TomlTable::full_name(std::string_view key) const {
    return name_.empty() ? std::string(key) : name_ + "." + std::string(key);
}

std::string TomlTable::where(const toml::source_region& source) const {
    return file_ + ", line " + std::to_string(std::max<unsigned>(1, source.begin.line));
}

std::string TomlTable::where() const {
    return where(table_.source());
}

// A key inside of an array of tables has its own line, an implicit table may have none.
std::string TomlTable::where(std::string_view key) const {
    const auto found = table_.find(key);
    return found == table_.end() ? where() : where(found->first.source());
}

void TomlTable::refuse(std::string_view key, const std::string& why,
                       const std::string& hint) const {
    throw base::Error(base::ErrorKind::invalid_input,
                      where(key) + ": " + base::printable(full_name(key)) + " " + why, hint);
}

void TomlTable::allow(std::initializer_list<std::string_view> keys) const {
    for (const auto& [key, value] : table_)
        if (std::find(keys.begin(), keys.end(), key.str()) == keys.end()) {
            std::string known;
            for (const auto& one : keys) known += (known.empty() ? "" : ", ") + std::string(one);
            refuse(key.str(), "is no key of this file", "Here stand: " + known + ".");
        }
}

std::string TomlTable::text(std::string_view key) const {
    const auto* node = table_.get(key);
    if (!node) return {};
    if (const auto* text = node->as_string()) return text->get();
    refuse(key, "must be a text");
}

std::string TomlTable::required_text(std::string_view key) const {
    auto value = text(key);
    if (value.empty()) refuse(key, "is missing");
    return value;
}

bool TomlTable::flag(std::string_view key) const {
    const auto* node = table_.get(key);
    if (!node) return false;
    if (const auto* flag = node->as_boolean()) return flag->get();
    refuse(key, "must be true or false");
}

std::vector<std::string> TomlTable::texts(std::string_view key) const {
    std::vector<std::string> all;
    const auto* node = table_.get(key);
    if (!node) return all;
    const auto* array = node->as_array();
    if (!array) refuse(key, "must be a list of texts");
    for (const auto& element : *array) {
        if (!element.is_string()) refuse(key, "must be a list of texts");
        all.push_back(element.as_string()->get());
    }
    return all;
}

std::optional<TomlTable> TomlTable::table(std::string_view key) const {
    const auto* node = table_.get(key);
    if (!node) return std::nullopt;
    if (!node->is_table()) refuse(key, "must be a table: [" + full_name(key) + "]");
    return TomlTable(*node->as_table(), file_, full_name(key));
}

std::vector<TomlTable> TomlTable::tables(std::string_view key) const {
    std::vector<TomlTable> all;
    const auto* node = table_.get(key);
    if (!node) return all;
    const auto* array = node->as_array();
    if (!array) refuse(key, "must be a list of tables: [[" + full_name(key) + "]]");
    for (const auto& element : *array) {
        if (!element.is_table())
            refuse(key, "must be a list of tables: [[" + full_name(key) + "]]");
        all.emplace_back(*element.as_table(), file_, full_name(key));
    }
    return all;
}

} // namespace packages
