#include "apps/tokens.h"

#include "apps/database.h"

#include "checks.h"
#include "query.h"

#include "base/error.h"

namespace apps {
namespace {

using base::Error;
using base::ErrorKind;

constexpr std::int64_t minute = 60'000;

const std::string select_tokens =
    "SELECT id, name, prefix, hash, every_app, created_by, created, expires, used FROM tokens";

Token read_token(Session& sql, const soci::row& row) {
    Token token;
    token.id = text(row, 0);
    token.name = text(row, 1);
    token.prefix = text(row, 2);
    token.hash = text(row, 3);
    if (number(row, 4) != 0) token.scopes.push_back({.server = true});
    token.created_by = text(row, 5);
    token.created = number(row, 6);
    token.expires = number(row, 7);
    token.used = number(row, 8);
    Query(sql, "SELECT app, deploys FROM token_apps WHERE token = ? ORDER BY app, deploys",
          token.id)
        .each([&](const soci::row& scope) {
            token.scopes.push_back(
                {.app = text(scope, 0), .right = static_cast<Right>(number(scope, 1))});
        });
    return token;
}

} // namespace

std::string_view to_string(Right right) noexcept {
    switch (right) {
    case Right::read:
        return "read";
    case Right::deploy:
        return "deploy";
    case Right::push:
        return "push";
    }
    return "";
}

Scope Scope::parse(std::string_view text) {
    if (text == "server") return {.server = true};
    const auto colon = text.rfind(':');
    if (text.starts_with("app:") && colon > 4) {
        const auto right = text.substr(colon + 1);
        const auto app = std::string(text.substr(4, colon - 4));
        for (const auto known : {Right::read, Right::deploy, Right::push})
            if (right == to_string(known)) return {.app = app, .right = known};
    }
    throw Error(ErrorKind::invalid_input, "\"" + std::string(text) + "\" is not a scope",
                "Scopes are: server, app:NAME:read, app:NAME:push, app:NAME:deploy.");
}

std::string Scope::render() const {
    if (server) return "server";
    return "app:" + app + ":" + std::string(to_string(right));
}

void Tokens::add(const Token& token) {
    database_.write([&](Session& sql) {
        if (exists(sql, "tokens", token.name))
            throw Error(ErrorKind::already_exists,
                        "there is a token \"" + token.name + "\" already",
                        "Choose another name, or remove that token first.");
        bool every_app = false;
        for (const auto& scope : token.scopes) every_app |= scope.server;
        Query(sql,
              "INSERT INTO tokens (id, name, prefix, hash, every_app, created_by, created,"
              " expires, used) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
              token.id, token.name, token.prefix, token.hash, every_app, token.created_by,
              token.created, token.expires, token.used)
            .execute();
        for (const auto& scope : token.scopes) {
            if (scope.server) continue;
            require_app(sql, scope.app);
            Query(sql,
                  "INSERT INTO token_apps (token, app, deploys) VALUES (?, ?, ?)"
                  " ON CONFLICT DO NOTHING",
                  token.id, scope.app, static_cast<int>(scope.right))
                .execute();
        }
    });
}

std::optional<Token> Tokens::find_by_hash(std::string_view hash) {
    std::optional<Token> found;
    database_.read([&](Session& sql) {
        found =
            Query(sql, select_tokens + " WHERE hash = ?", hash).first([&](const soci::row& row) {
                return read_token(sql, row);
            });
    });
    return found;
}

std::vector<Token> Tokens::list() {
    std::vector<Token> tokens;
    database_.read([&](Session& sql) {
        tokens.clear();
        Query(sql, select_tokens + " ORDER BY name").each([&](const soci::row& row) {
            tokens.push_back(read_token(sql, row));
        });
    });
    return tokens;
}

// One token by its name, else by its id: a name may look like another token's id.
void Tokens::remove(std::string_view name_or_id) {
    database_.write([&](Session& sql) {
        if (!Query(sql, "DELETE FROM tokens WHERE name = ?", name_or_id).changes() &&
            !Query(sql, "DELETE FROM tokens WHERE id = ?", name_or_id).changes())
            throw Error(ErrorKind::not_found,
                        "there is no token \"" + std::string(name_or_id) + "\"");
    });
}

// Asked with each request: what is known already is not written again.
void Tokens::note_use(std::string_view id, std::int64_t now) {
    const std::int64_t time = now - now % minute;
    bool known = true;
    database_.read([&](Session& sql) {
        known = !Query(sql, "SELECT 1 FROM tokens WHERE id = ? AND used < ?", id, time).finds();
    });
    if (known) return;
    database_.write([&](Session& sql) {
        Query(sql, "UPDATE tokens SET used = ? WHERE id = ? AND used < ?", time, id, time)
            .execute();
    });
}

} // namespace apps
