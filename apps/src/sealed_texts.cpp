#include "apps/sealed_texts.h"

#include "apps/database.h"

#include "query.h"

#include <array>

namespace apps {
namespace {

// A new column of sealed texts belongs here: a rotation forgets the keys of what it does not know.
struct Place {
    const char* table;
    const char* column;
    const char* key;
    const char* name;   // the second half of a key; empty: there is none
    const char* prefix; // of the context
};
constexpr std::array<Place, 8> places{{
    {"variables", "sealed", "app", "name", "app/"},
    {"builds", "sealed", "id", "", "build/"},
    {"builds", "sealed_source", "id", "", "source/"},
    {"hooks", "sealed_secret", "id", "", "hook/"},
    {"hooks", "sealed_token", "id", "", "hook/"},
    {"hooks", "sealed_ssh_key", "id", "", "hook/"},
    {"subscriptions", "sealed_secret", "id", "", "subscription/"},
    {"answers", "body", "caller", "key", "answer/"},
}};

std::string select(const Place& place) {
    const std::string name = *place.name ? place.name : "''";
    return std::string("SELECT ") + place.key + ", " + name + ", " + place.column + " FROM " +
           place.table + " WHERE " + place.column + " LIKE 'v1:%' ORDER BY 1, 2";
}

} // namespace

std::vector<SealedText> SealedTexts::list() {
    std::vector<SealedText> all;
    database_.read([&](Session& sql) {
        all.clear();
        for (const auto& place : places)
            Query(sql, select(place)).each([&](const soci::row& row) {
                SealedText one{.context = place.prefix + text(row, 0),
                               .sealed = text(row, 2),
                               .table = place.table,
                               .column = place.column,
                               .key = text(row, 0),
                               .name = text(row, 1)};
                if (!one.name.empty()) one.context += "/" + one.name;
                all.push_back(std::move(one));
            });
    });
    return all;
}

bool SealedTexts::replace(const SealedText& text, std::string_view sealed) {
    bool replaced = false;
    for (const auto& place : places) {
        if (text.table != place.table || text.column != place.column) continue;
        const std::string column = place.column;
        auto statement = std::string("UPDATE ") + place.table + " SET " + column + " = ? WHERE " +
                         column + " = ? AND " + place.key + " = ?";
        if (*place.name) statement += std::string(" AND ") + place.name + " = ?";
        database_.write([&](Session& sql) {
            Query query(sql, statement, sealed, text.sealed, text.key);
            if (*place.name) query.bind(text.name);
            replaced = query.changes();
        });
    }
    return replaced;
}

} // namespace apps
