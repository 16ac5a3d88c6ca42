// One connection to the database, and what was prepared on it. One thread at a time.
#pragma once

#include <soci/soci.h>

#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <variant>
#include <vector>

namespace apps {

// A statement that the database has parsed, with the places of its values and of its row: SOCI
// binds by reference, so none of them moves.
struct Prepared {
    using Value = std::variant<long long, std::string>;
    Prepared(soci::session& sql, std::string_view text, std::vector<Value> first_values,
             bool with_rows);

    std::vector<Value> values; // of the kinds that it was made for
    soci::row row;
    soci::statement statement;
};

// SQL has few texts and they are used for ever: each is parsed once for a connection.
class Session : public soci::session {
  public:
    using soci::session::session;

    // `key` names the text, the kinds of its values and whether it gives rows. Null: make one.
    // Whoever took it gives it back once it has come to its end; one that failed is dropped.
    std::unique_ptr<Prepared> take(std::string_view key);
    void give_back(std::string key, std::unique_ptr<Prepared> prepared);

  private:
    struct Hash : std::hash<std::string_view> {
        using is_transparent = void;
    };
    // Destroyed before the connection that they are prepared on. Texts begin alike: in a sorted map
    // they would be compared to their ends.
    std::unordered_map<std::string, std::unique_ptr<Prepared>, Hash, std::equal_to<>> idle_;
};

} // namespace apps
