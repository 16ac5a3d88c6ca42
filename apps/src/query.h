// One statement with its values: SQL with `?` for each of them, in order; both databases read the
// same. The database parses it once for each connection.
#pragma once

#include "session.h"

#include <soci/soci.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

namespace apps {

// SQLite's column types are what the declaration says, not what SOCI expects of an expression.
std::int64_t number(const soci::row& row, std::size_t column);
inline std::string text(const soci::row& row, std::size_t column) {
    return row.get<std::string>(column);
}

class Query {
  public:
    template <class... Values>
    Query(Session& sql, std::string_view statement, const Values&... values)
        : sql_(sql), statement_(statement) {
        values_.reserve(sizeof...(values));
        (bind(values), ...);
    }

    template <class Value>
    Query& bind(const Value& value) {
        if constexpr (std::is_integral_v<Value>)
            values_.emplace_back(static_cast<long long>(value));
        else
            values_.emplace_back(std::string(value));
        return *this;
    }

    std::int64_t execute(); // rows that it changed
    bool changes() { return execute() > 0; }

    template <class F>
    void each(F&& f) {
        Running running(*this, Rows::yes);
        while (running.next()) f(running.row());
    }
    // Of the first row; empty when there is none.
    template <class F>
    auto first(F&& f) -> std::optional<decltype(f(std::declval<const soci::row&>()))> {
        Running running(*this, Rows::yes);
        if (!running.next()) return std::nullopt;
        std::optional<decltype(f(std::declval<const soci::row&>()))> found(f(running.row()));
        while (running.next()) {
        } // what has not come to its end keeps its transaction open
        return found;
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
    enum class Rows { no, yes };

    // The prepared statement while it runs; given back at its end.
    class Running {
      public:
        Running(Query& query, Rows rows);
        bool next(); // false: that was all
        const soci::row& row() const { return prepared_->row; }
        std::int64_t change(); // without rows: how many it changed

      private:
        Session& sql_;
        std::string key_;
        std::unique_ptr<Prepared> prepared_;
        bool begun_ = false;
    };

    std::string key(Rows rows) const;

    Session& sql_;
    const std::string statement_;
    std::vector<Prepared::Value> values_;
};

// "(?, ?, ?)"
std::string placeholders(std::size_t count);

} // namespace apps
