// The kinds of values that a key may have. Private to the tables of keys.
#pragma once

#include "config_keys.h"
#include "config_values.h"

#include <filesystem>

namespace server {

using std::filesystem::path;

template <class Get>
Key text(std::string name, Get get, std::string meaning) {
    return {std::move(name), "text", std::move(meaning),
            [get](Config& c, std::string_view text, const path&) { get(c) = text; },
            [get](const Config& c) { return get(const_cast<Config&>(c)); }};
}

// The same key, of whose value `check` throws what is wrong with it.
template <class Check>
Key checked(Key key, Check check) {
    key.set = [set = key.set, check](Config& c, std::string_view text, const path& base) {
        check(text);
        set(c, text, base);
    };
    return key;
}

// A text that must parse as host:port.
template <class Get>
Key address(std::string name, Get get, std::string meaning) {
    return checked(text(std::move(name), get, std::move(meaning)), parse_address);
}

// The same, or nothing at all.
template <class Get>
Key optional_address(std::string name, Get get, std::string meaning) {
    return checked(text(std::move(name), get, std::move(meaning)), [](std::string_view text) {
        if (!text.empty()) parse_address(text);
    });
}

template <class Get>
Key choice(std::string name, Get get, std::vector<std::string> words, std::string meaning) {
    auto key = text(name, get, std::move(meaning));
    key.type = join(words, " or ");
    key.set = [get, words](Config& c, std::string_view text, const path&) {
        get(c) = one_of(text, words);
    };
    return key;
}

template <class Get>
Key file(std::string name, Get get, std::string meaning) {
    return {std::move(name), "path", std::move(meaning),
            [get](Config& c, std::string_view text, const path& base) {
                get(c) = absolute_path(text, base);
            },
            [get](const Config& c) { return get(const_cast<Config&>(c)).string(); }};
}

template <class Get>
Key number(std::string name, Get get, std::string meaning, std::uint64_t least = 0) {
    return {std::move(name), "number", std::move(meaning),
            [get, least](Config& c, std::string_view text, const path&) {
                get(c) = parse_number(text, least);
            },
            [get](const Config& c) { return std::to_string(get(const_cast<Config&>(c))); }};
}

template <class Get>
Key size(std::string name, Get get, std::string meaning) {
    return {std::move(name), "size", std::move(meaning),
            [get](Config& c, std::string_view text, const path&) { get(c) = parse_size(text); },
            [get](const Config& c) { return show_size(get(const_cast<Config&>(c))); }};
}

template <class Get>
Key duration(std::string name, Get get, std::string meaning) {
    return {std::move(name), "duration", std::move(meaning),
            [get](Config& c, std::string_view text, const path&) { get(c) = parse_duration(text); },
            [get](const Config& c) { return show_duration(get(const_cast<Config&>(c))); }};
}

template <class Get>
Key list(std::string name, Get get, std::string meaning) {
    return {std::move(name), "list", std::move(meaning),
            [get](Config& c, std::string_view text, const path&) { get(c) = parse_list(text); },
            [get](const Config& c) { return join(get(const_cast<Config&>(c)), ","); }};
}

// One for each file of the table, in the document's order.
std::vector<Key> upkeep_keys(); // retention, buildpacks, webhooks, uploads

} // namespace server
