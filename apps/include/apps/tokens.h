// Bearer tokens of the HTTP API: hashed at rest, scoped, expiring. The text is shown once, by
// whoever made it. Any thread.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace apps {

class Database;

// read: look at the app, pull its images. push: pull and push images in its repository, and nothing
// of the API. deploy: all of it.
enum class Right { read, deploy, push };
std::string_view to_string(Right right) noexcept;
struct Scope {
    bool server = false; // everything, of every app; then the rest does not matter
    std::string app;
    Right right = Right::read;
    static Scope parse(std::string_view text); // "server", "app:NAME:read" (deploy, push)
    std::string render() const;
};

struct Token {
    std::string id;     // "t" and 12 characters
    std::string name;   // for people
    std::string prefix; // the first characters of its text, to tell it in a list
    std::string hash;   // SHA-256 of the text, hex
    std::vector<Scope> scopes;
    std::string created_by;
    std::int64_t created = 0;
    std::int64_t expires = 0; // 0: never
    std::int64_t used = 0;    // last time, to the minute
};

class Tokens {
  public:
    explicit Tokens(Database& database) : database_(database) {}
    void add(const Token& token); // already_exists for a name that is there
    std::optional<Token> find_by_hash(std::string_view hash); // expired ones too: the caller judges
    std::vector<Token> list();
    void remove(std::string_view name_or_id); // not_found
    void note_use(std::string_view id, std::int64_t now);

  private:
    Database& database_;
};

// The same request sent twice starts one thing: what was answered to `key` of this caller.
struct Remembered {
    std::string request_hash;
    int status = 0; // 0: still being answered
    std::string body;
    std::string build; // id of the build that the request has started; empty: none so far
};
class Idempotency {
  public:
    explicit Idempotency(Database& database) : database_(database) {}
    // Empty: the key is ours now, answer and call finish (or forget). Otherwise what is known.
    // server: who answers, the same name after its restart; a key that it leaves is free in 10 min.
    std::optional<Remembered> begin(std::string_view caller, std::string_view key,
                                    std::string_view request_hash, std::int64_t now,
                                    std::string_view server = {});
    void finish(std::string_view caller, std::string_view key, int status, std::string_view body);
    // Nothing came of it: the key is free again. One whose build was started stays.
    void forget(std::string_view caller, std::string_view key);
    // What this server's last life left unanswered, as forget() does.
    int forget_unanswered(std::string_view server);
    // Unanswered ones too: their server is no more.
    int remove_before(std::int64_t time);
    int count_before(std::int64_t time); // those that would leave

  private:
    Database& database_;
};

} // namespace apps
