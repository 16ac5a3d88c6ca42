// The one table of keys: names, types, meanings, and how each is set from text.
#pragma once

#include "server/config.h"

#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace server {

struct Key {
    std::string name;
    std::string type;
    std::string meaning;
    // Throws Error{invalid_input} saying what was expected. base: where relative paths start.
    std::function<void(Config&, std::string_view text, const std::filesystem::path& base)> set;
    std::function<std::string(const Config&)> show;
};

const std::vector<Key>& key_table();
const Key* find_key(std::string_view name);
std::string variable_of(std::string_view key_name);

} // namespace server
