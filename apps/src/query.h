// One statement with its values: SQL with `?` for each of them, in order. SOCI binds by reference
// and numbers names as each database likes; here values are kept, and both databases read the same.
#pragma once

#include <soci/soci.h>

#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>

namespace apps {

// SQLite's column types are what the declaration says, not what SOCI expects of an expression.
std::int64_t number(const soci::row& row, std::size_t column);
inline std::string text(const soci::row& row, std::size_t column) {
    return row.get<std::string>(column);
}

class Query {
  public:
    template <class... Values>
    Query(soci::session& sql, std::string_view statement, const Values&... values)
        : sql_(sql), statement_(statement) {
        (bind(values), ...);
    }

    template <class Value>
    Query& bind(const Value& value) {
        if constexpr (std::is_integral_v<Value>)
            numbers_.push_back(static_cast<long long>(value));
        else
            texts_.emplace_back(value);
        is_number_.push_back(std::is_integral_v<Value>);
        return *this;
    }

    std::int64_t execute(); // rows that it changed
    bool changes() { return execute() > 0; }

    template <class F>
    void each(F&& f) {
        soci::statement statement(sql_);
        soci::row row;
        statement.exchange(soci::into(row));
        prepare(statement);
        for (bool more = statement.execute(true); more; more = statement.fetch()) f(row);
    }
    // Of the first row; empty when there is none.
    template <class F>
    auto first(F&& f) -> std::optional<decltype(f(std::declval<const soci::row&>()))> {
        soci::statement statement(sql_);
        soci::row row;
        statement.exchange(soci::into(row));
        prepare(statement);
        if (!statement.execute(true)) return std::nullopt;
        return f(static_cast<const soci::row&>(row));
    }
    std::optional<std::int64_t> first_number() {
        return first([](const soci::row& row) { return number(row, 0); });
    }
    std::optional<std::string> first_text() {
        return first([](const soci::row& row) { return text(row, 0); });
    }
    bool finds() {
        return first([](const soci::row&) { return true; }).has_value();
    }

  private:
    void prepare(soci::statement& statement);

    soci::session& sql_;
    const std::string statement_;
    std::deque<std::string> texts_; // a deque: what SOCI refers to must not move
    std::deque<long long> numbers_;
    std::deque<bool> is_number_;
};

// "(?, ?, ?)"
std::string placeholders(std::size_t count);

} // namespace apps
