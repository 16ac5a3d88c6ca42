// Statements that are kept prepared, on a database of their own in memory.
#include "query.h"

#include <catch2/catch.hpp>
#include <soci/sqlite3/soci-sqlite3.h>

#include <stdexcept>
#include <vector>

using apps::Query;

namespace {

struct Memory {
    apps::Session session{soci::sqlite3, "dbname=:memory:"};
    Memory() {
        session << "CREATE TABLE numbers (n BIGINT PRIMARY KEY, name TEXT NOT NULL)";
        for (int n = 1; n <= 3; ++n)
            Query(session, "INSERT INTO numbers (n, name) VALUES (?, ?)", n, "n").execute();
    }
    // As SQLite counts them: all that are prepared, and those of them that have not ended.
    int prepared() { return count(false); }
    int unfinished() { return count(true); }

  private:
    int count(bool busy_alone) {
        auto* database = static_cast<soci::sqlite3_session_backend*>(session.get_backend())->conn_;
        int found = 0;
        for (auto* one = sqlite_api::sqlite3_next_stmt(database, nullptr); one;
             one = sqlite_api::sqlite3_next_stmt(database, one))
            if (!busy_alone || sqlite_api::sqlite3_stmt_busy(one)) ++found;
        return found;
    }
};

} // namespace

TEST_CASE("a statement is prepared once for a connection, and takes other values each time") {
    Memory memory;
    const auto before = memory.prepared();
    const auto name_of = [&](int n) {
        return Query(memory.session, "SELECT name FROM numbers WHERE n = ?", n).first_text();
    };
    CHECK(name_of(1) == std::string("n"));
    CHECK(memory.prepared() == before + 1);
    CHECK(Query(memory.session, "UPDATE numbers SET name = ? WHERE n = ?", "two", 2).execute() ==
          1);
    CHECK(Query(memory.session, "UPDATE numbers SET name = ? WHERE n = ?", "x", 9).execute() == 0);
    CHECK(name_of(2) == std::string("two"));
    CHECK(name_of(9) == std::nullopt);
    CHECK(name_of(3) == std::string("n"));
    CHECK(memory.prepared() == before + 2);
}

TEST_CASE("asking for the first of many rows leaves no statement behind that holds the rest") {
    Memory memory;
    CHECK(Query(memory.session, "SELECT n FROM numbers ORDER BY n").first_number() == 1);
    CHECK(memory.unfinished() == 0);
    CHECK(Query(memory.session, "SELECT n FROM numbers ORDER BY n").first_number() == 1);
}

TEST_CASE("a statement may be asked again within its own rows") {
    Memory memory;
    const std::string all = "SELECT n FROM numbers ORDER BY n";
    std::vector<std::int64_t> seen;
    Query(memory.session, all).each([&](const soci::row& row) {
        seen.push_back(apps::number(row, 0));
        Query(memory.session, all).each([&](const soci::row& inner) {
            seen.push_back(10 * apps::number(inner, 0));
        });
    });
    CHECK(seen == std::vector<std::int64_t>{1, 10, 20, 30, 2, 10, 20, 30, 3, 10, 20, 30});
    CHECK(memory.unfinished() == 0);
}

TEST_CASE("a statement that failed, or whose rows threw, is made anew") {
    Memory memory;
    const auto add = [&](int n) {
        return Query(memory.session, "INSERT INTO numbers (n, name) VALUES (?, ?)", n, "m")
            .execute();
    };
    CHECK_THROWS_AS(add(1), soci::soci_error);
    CHECK(add(4) == 1);
    const auto stop_at_first = [](const soci::row&) { throw std::runtime_error("enough"); };
    CHECK_THROWS(Query(memory.session, "SELECT n FROM numbers").each(stop_at_first));
    CHECK(memory.unfinished() == 0);
    int rows = 0;
    Query(memory.session, "SELECT n FROM numbers").each([&](const soci::row&) { ++rows; });
    CHECK(rows == 4);
}

TEST_CASE("the same words with values of another kind are another statement") {
    Memory memory;
    const auto type_of = [&](const auto& value) {
        return Query(memory.session, "SELECT typeof(?)", value).first_text();
    };
    CHECK(type_of(1) == std::string("integer"));
    CHECK(type_of("1") == std::string("text"));
    CHECK(type_of(2) == std::string("integer"));
}
