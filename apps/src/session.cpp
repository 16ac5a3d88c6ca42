#include "session.h"

#include <utility>

namespace apps {
namespace {

// Lists of values make texts of many lengths: those beyond are prepared each time.
constexpr std::size_t most_idle = 250;

} // namespace

Prepared::Prepared(soci::session& sql, std::string_view text, std::vector<Value> first_values,
                   bool with_rows)
    : values(std::move(first_values)), statement(sql) {
    if (with_rows) statement.exchange(soci::into(row));
    for (auto& value : values)
        std::visit([&](auto& held) { statement.exchange(soci::use(held)); }, value);
    // A name of its own for each value: SQLite takes one that comes twice for one value.
    std::string named;
    int count = 0;
    for (const char c : text)
        named += c == '?' ? ":p" + std::to_string(++count) : std::string(1, c);
    statement.alloc();
    statement.prepare(named);
    statement.define_and_bind();
}

std::unique_ptr<Prepared> Session::take(std::string_view key) {
    const auto it = idle_.find(key);
    if (it == idle_.end()) return nullptr;
    // Its place stays: it comes back.
    return std::move(it->second);
}

void Session::give_back(std::string key, std::unique_ptr<Prepared> prepared) {
    const auto it = idle_.find(key);
    if (it != idle_.end())
        it->second = std::move(prepared);
    else if (idle_.size() < most_idle)
        idle_.emplace(std::move(key), std::move(prepared));
}

} // namespace apps
