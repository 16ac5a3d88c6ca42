// TOML as the reference lifecycle writes it, byte for byte: <layers>/config/metadata.toml is part
// of an image's digest, and buildpacks in shell read restored files with sed. Values of a table
// come before its tables; each level is indented by two blanks.
#include "buildpacks/toml_text.h"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <charconv>

namespace buildpacks {
namespace {

std::string escape(std::string_view text) {
    static constexpr std::string_view digits = "0123456789abcdef";
    std::string quoted = "\"";
    for (const char c : text) {
        const auto byte = static_cast<unsigned char>(c);
        if (c == '"' || c == '\\')
            quoted += std::string("\\") + c;
        else if (c == '\n')
            quoted += "\\n";
        else if (c == '\r')
            quoted += "\\r";
        else if (c == '\t')
            quoted += "\\t";
        else if (c == '\b')
            quoted += "\\b";
        else if (c == '\f')
            quoted += "\\f";
        else if (byte < 0x20 || byte == 0x7f)
            quoted += std::string("\\u00") + digits[byte >> 4] + digits[byte & 15];
        else
            quoted += c;
    }
    return quoted + "\"";
}

std::string render_key(const std::string& key) {
    static constexpr std::string_view bare =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-";
    return !key.empty() && key.find_first_not_of(bare) == std::string::npos ? key : escape(key);
}

std::string render_real(double real) {
    char buffer[40];
    const auto end = std::to_chars(buffer, buffer + sizeof buffer, real).ptr;
    std::string text(buffer, end);
    if (text.find_first_of(".en") == std::string::npos) text += ".0"; // else it is an integer
    return text;
}

template <class Json>
class TomlWriter {
  public:
    std::string run(const Json& table) {
        write_members(table, {}, 0);
        return std::move(text_);
    }

  private:
    static bool is_table_list(const Json& value) {
        return value.is_array() && !value.empty() &&
               std::all_of(value.begin(), value.end(),
                           [](const Json& item) { return item.is_object(); });
    }

    static std::string render_inline(const Json& value) {
        if (value.is_string()) return escape(value.template get<std::string>());
        if (value.is_number_float()) return render_real(value.template get<double>());
        if (value.is_array()) return render_list(value);
        if (value.is_object()) return render_inline_table(value);
        if (value.is_binary()) return {value.get_binary().begin(), value.get_binary().end()};
        return value.dump();
    }

    static std::string render_list(const Json& list) {
        std::string text = "[";
        for (const auto& item : list)
            if (!item.is_null()) text += (text.size() > 1 ? ", " : "") + render_inline(item);
        return text + "]";
    }

    static std::string render_inline_table(const Json& table) {
        std::string text = "{";
        for (const auto& [key, value] : table.items())
            if (!value.is_null())
                text +=
                    (text.size() > 1 ? ", " : "") + render_key(key) + " = " + render_inline(value);
        return text + "}";
    }

    void write_members(const Json& table, const std::string& path, int depth) {
        const std::string indent(static_cast<std::size_t>(depth) * 2, ' ');
        for (const auto& [key, value] : table.items())
            if (!value.is_object() && !is_table_list(value) && !value.is_null())
                text_ += indent + render_key(key) + " = " + render_inline(value) + "\n";
        for (const auto& [key, value] : table.items()) {
            const auto name = path.empty() ? render_key(key) : path + "." + render_key(key);
            if (value.is_object()) write_table(value, name, indent, depth);
            if (is_table_list(value)) write_table_list(value, name, indent, depth);
        }
    }

    void write_table(const Json& table, const std::string& name, const std::string& indent,
                     int depth) {
        if (depth == 0) separate();
        text_ += indent + "[" + name + "]\n";
        write_members(table, name, depth + 1);
    }

    void write_table_list(const Json& list, const std::string& name, const std::string& indent,
                          int depth) {
        for (const auto& table : list) {
            separate();
            text_ += indent + "[[" + name + "]]\n";
            write_members(table, name, depth + 1);
        }
    }

    void separate() {
        if (!text_.empty()) text_ += "\n";
    }

    std::string text_;
};

} // namespace

std::string json_to_toml(const nlohmann::json& table) {
    return TomlWriter<nlohmann::json>().run(table);
}

std::string ordered_json_to_toml(const nlohmann::ordered_json& table) {
    return TomlWriter<nlohmann::ordered_json>().run(table);
}

} // namespace buildpacks
