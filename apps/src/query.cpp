#include "query.h"

namespace apps {

std::int64_t number(const soci::row& row, std::size_t column) {
    switch (row.get_properties(column).get_data_type()) {
    case soci::dt_integer:
        return row.get<int>(column);
    case soci::dt_long_long:
        return row.get<long long>(column);
    case soci::dt_unsigned_long_long:
        return static_cast<std::int64_t>(row.get<unsigned long long>(column));
    case soci::dt_double:
        return static_cast<std::int64_t>(row.get<double>(column));
    default:
        return std::stoll(row.get<std::string>(column));
    }
}

std::int64_t Query::execute() {
    soci::statement statement(sql_);
    prepare(statement);
    statement.execute(true);
    return statement.get_affected_rows();
}

void Query::prepare(soci::statement& statement) {
    std::size_t next_text = 0, next_number = 0;
    for (const bool is_number : is_number_)
        if (is_number)
            statement.exchange(soci::use(numbers_[next_number++]));
        else
            statement.exchange(soci::use(texts_[next_text++]));
    // A name of its own for each value: SQLite takes one that comes twice for one value.
    std::string named;
    int count = 0;
    for (const char c : statement_)
        named += c == '?' ? ":p" + std::to_string(++count) : std::string(1, c);
    statement.alloc();
    statement.prepare(named);
    statement.define_and_bind();
}

std::string placeholders(std::size_t count) {
    std::string list = "(";
    for (std::size_t i = 0; i < count; ++i) list += i == 0 ? "?" : ", ?";
    return list + ")";
}

} // namespace apps
