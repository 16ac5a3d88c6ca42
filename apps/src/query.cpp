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
    return Running(*this, Rows::no).change();
}

// Kinds and rows belong to it: what is bound to a prepared statement cannot change its kind.
std::string Query::key(Rows rows) const {
    std::string key;
    key.reserve(statement_.size() + values_.size() + 1);
    key += rows == Rows::yes ? 'r' : 'x';
    for (const auto& value : values_) key += std::holds_alternative<long long>(value) ? 'n' : 't';
    return key += statement_;
}

Query::Running::Running(Query& query, Rows rows)
    : sql_(query.sql_), key_(query.key(rows)), prepared_(sql_.take(key_)) {
    if (prepared_)
        for (std::size_t i = 0; i < prepared_->values.size(); ++i)
            prepared_->values[i] = std::move(query.values_[i]);
    else
        prepared_ = std::make_unique<Prepared>(sql_, query.statement_, std::move(query.values_),
                                               rows == Rows::yes);
}

bool Query::Running::next() {
    auto& statement = prepared_->statement;
    if (std::exchange(begun_, true) ? statement.fetch() : statement.execute(true)) return true;
    sql_.give_back(std::move(key_), std::move(prepared_));
    return false;
}

std::int64_t Query::Running::change() {
    prepared_->statement.execute(true);
    const auto changed = prepared_->statement.get_affected_rows();
    sql_.give_back(std::move(key_), std::move(prepared_));
    return changed;
}

std::string placeholders(std::size_t count) {
    std::string list = "(";
    for (std::size_t i = 0; i < count; ++i) list += i == 0 ? "?" : ", ?";
    return list + ")";
}

} // namespace apps
