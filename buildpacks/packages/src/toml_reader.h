// A table of a TOML file that people write, read so that each refusal names the line and the key.
#pragma once

#include <toml++/toml.h>

#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace packages {

// Borrows the parsed file.
class TomlTable {
  public:
    TomlTable(const toml::table& table, std::string file, std::string name)
        : table_(table), file_(std::move(file)), name_(std::move(name)) {}

    // Refuses every key that is not one of these.
    void allow(std::initializer_list<std::string_view> keys) const;
    bool has(std::string_view key) const { return table_.contains(key); }
    std::string text(std::string_view key) const; // empty: absent
    std::string required_text(std::string_view key) const;
    bool flag(std::string_view key) const;
    std::vector<std::string> texts(std::string_view key) const;
    std::optional<TomlTable> table(std::string_view key) const;
    std::vector<TomlTable> tables(std::string_view key) const;

    std::string where() const;                     // "builder.toml, line 3"
    std::string where(std::string_view key) const; // the line of that key
    [[noreturn]] void refuse(std::string_view key, const std::string& why,
                             const std::string& hint = {}) const;

  private:
    std::string full_name(std::string_view key) const;
    std::string where(const toml::source_region& source) const;
    const toml::table& table_;
    std::string file_;
    std::string name_; // "build.env"; empty: the whole file
};

// Keeps what TomlTable borrows. Throws Error{invalid_input} with the line, as toml_to_json does.
toml::table parse_toml_file(const std::string& file);

} // namespace packages
