#include "postgresql_connection.h"

#include "base/error.h"

#include <libpq-fe.h>
#include <soci/postgresql/soci-postgresql.h>

#include <map>

namespace apps {
namespace {

using base::Error;
using base::ErrorKind;

// libpq's own quotes within SOCI's. SOCI 4.0 takes the settings apart at spaces and knows double
// quotes alone, without an escape.
std::string quote(const std::string& value) {
    std::string quoted = "'";
    for (const char c : value) {
        if (c == '\'' || c == '\\') quoted += '\\';
        quoted += c;
    }
    quoted += "'";
    const bool has_space = quoted.find_first_of(" \t\n\r\f\v") != std::string::npos;
    if (has_space && quoted.find('"') != std::string::npos)
        throw Error(ErrorKind::invalid_input,
                    "a setting of the database's connection has both spaces and double quotes",
                    "Choose another password, or leave one of the two out.");
    return has_space ? "\"" + quoted + "\"" : quoted;
}

// libpq's first line says it, the others guess why; SOCI says before it what it did.
std::string first_line(std::string text) {
    for (const std::string said : {"Cannot establish connection to the database.\n",
                                   "Cannot execute query. ", "Fatal error. "})
        if (const auto at = text.find(said); at != std::string::npos)
            text.erase(0, at + said.size());
    const auto start = text.find_first_not_of(" \n");
    if (start == std::string::npos) return "no reason was given";
    return text.substr(start, text.find('\n', start) - start);
}

std::string sqlstate_of(const soci::soci_error& error) {
    const auto* known = dynamic_cast<const soci::postgresql_soci_error*>(&error);
    return known ? known->sqlstate() : "";
}

// Without a state it was no answer of the server's: libpq lost it.
bool ends_connection(const std::string& state) {
    return state == "     " || state.starts_with("08") || state == "57P01" || state == "57P02" ||
           state == "57P03";
}

} // namespace

std::string connection_settings(const std::string& connection, const std::string& password) {
    // A server that is gone without a word is noticed; a lock is waited for as SQLite waits.
    std::map<std::string, std::string> settings{{"connect_timeout", "5"},
                                                {"tcp_user_timeout", "10000"},
                                                {"application_name", "slipway"},
                                                {"client_encoding", "UTF8"}};
    char* complaint = nullptr;
    PQconninfoOption* options = PQconninfoParse(connection.c_str(), &complaint);
    if (!options) {
        const std::string why = complaint ? first_line(complaint) : "it cannot be read";
        PQfreemem(complaint);
        throw Error(ErrorKind::invalid_input, "the database's connection is not one: " + why,
                    "It looks like postgresql://USER@HOST:5432/DATABASE.");
    }
    for (const auto* option = options; option->keyword; ++option)
        if (option->val) settings[option->keyword] = option->val;
    PQconninfoFree(options);
    if (!password.empty()) settings["password"] = password;
    std::string text;
    for (const auto& [name, value] : settings) text += name + "=" + quote(value) + " ";
    return text;
}

std::unique_ptr<Session> connect(const std::string& settings) {
    try {
        auto session = std::make_unique<Session>(soci::postgresql, settings);
        *session << "SET lock_timeout = '5s'";
        *session << "SET client_min_messages = warning";
        *session << "SET default_transaction_isolation = 'read committed'";
        return session;
    } catch (const soci::soci_error& error) {
        throw Error(ErrorKind::unavailable,
                    "the database cannot be reached: " + first_line(error.get_error_message()),
                    "Try again in a moment.");
    }
}

Fault judge(const soci::soci_error& error, Session& session) {
    const auto state = sqlstate_of(error);
    if (state == "40001" || state == "40P01") return Fault::broken_by_others;
    const auto* backend = static_cast<soci::postgresql_session_backend*>(session.get_backend());
    const bool lost = !backend || PQstatus(backend->conn_) == CONNECTION_BAD;
    return lost || ends_connection(state) ? Fault::connection_lost : Fault::other;
}

void throw_error(const soci::soci_error& error) {
    const auto state = sqlstate_of(error);
    const auto why = first_line(error.get_error_message());
    if (state == "23505") throw Error(ErrorKind::already_exists, "it is there already: " + why);
    if (state == "23503")
        throw Error(ErrorKind::not_found, "what it belongs to is not there: " + why);
    if (state == "53100")
        throw Error(ErrorKind::limit_exceeded, "no space is left for the database",
                    "Free some space on the disk of the database's server and try again.");
    if (state == "55P03")
        throw Error(ErrorKind::unavailable, "the database is locked by another program",
                    "Try again in a moment.");
    if (state.starts_with("22"))
        throw Error(ErrorKind::invalid_input, "the database cannot keep this: " + why);
    if (state.starts_with("42") || state.starts_with("XX"))
        throw Error(ErrorKind::internal, "the database failed: " + why);
    throw Error(ErrorKind::unavailable, "the database does not answer: " + why,
                "Try again in a moment.");
}

} // namespace apps
