// PostgreSQL: a few connections, each opened when it is needed and again after a fault. The server
// may be restarted while we run: what was not begun is tried once more on a new connection, what
// was being committed is the caller's to judge (Error{unavailable}).
#include "apps/database.h"

#include "postgresql_connection.h"
#include "schema.h"
#include "sessions.h"

#include "base/error.h"

#include <soci/postgresql/soci-postgresql.h>

namespace apps {
namespace {

using base::Error;
using base::ErrorKind;

constexpr std::size_t most_sessions = 8;
constexpr int most_tries = 30; // of a transaction that others' transactions broke

// "slip" in ASCII; advisory locks have numbers of their own in each database.
constexpr const char* lock_turns = "SELECT pg_advisory_xact_lock(1936484720)";

class PostgresqlDatabase : public Database {
  public:
    PostgresqlDatabase(const std::string& connection, const std::string& password)
        : sessions_(most_sessions, [settings = connection_settings(connection, password)] {
              return connect(settings);
          }) {
        Sessions::Borrowed session(sessions_);
        try {
            migrate(*session, *this);
        } catch (const soci::soci_error& error) {
            session.drop();
            throw_error(error);
        }
    }

    void take_turns(Session& sql) override { sql << lock_turns; }

    std::string now() const override {
        return "CAST(EXTRACT(EPOCH FROM clock_timestamp()) * 1000 AS BIGINT)";
    }
    std::string kind() const override { return "postgresql"; }
    void check() override {
        read([](Session& sql) { sql << "SELECT 1 FROM schema_version LIMIT 1"; });
    }

  private:
    void run_read(const Work& work) override {
        transact("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY", work);
    }
    void run_write(const Work& work) override { transact("BEGIN", work); }

    enum class Ended { done, broken_by_others, connection_lost };

    void transact(const char* begin, const Work& work) {
        for (int tries = 1, connections = 1;;) {
            switch (try_once(begin, work, tries, connections < 2)) {
            case Ended::done:
                return;
            case Ended::broken_by_others:
                ++tries;
                break;
            case Ended::connection_lost:
                ++connections;
                sessions_.drop_idle();
            }
        }
    }

    // Throws what may not be tried again.
    Ended try_once(const char* begin, const Work& work, int tries, bool reconnect) {
        Sessions::Borrowed session(sessions_);
        bool committing = false;
        try {
            *session << begin;
            // Those that break one another would do so again side by side.
            if (tries > 1) *session << lock_turns;
            work(*session);
            committing = true;
            *session << "COMMIT";
            return Ended::done;
        } catch (const soci::soci_error& error) {
            const Fault fault = judge(error, *session);
            // Its prepared statements are still there: a new connection is cheaper than doubt.
            session.drop();
            if (fault == Fault::broken_by_others && tries < most_tries)
                return Ended::broken_by_others;
            if (fault == Fault::connection_lost && reconnect && !committing)
                return Ended::connection_lost;
            throw_error(error);
        } catch (...) {
            roll_back(session);
            throw;
        }
    }

    static void roll_back(Sessions::Borrowed& session) noexcept {
        try {
            *session << "ROLLBACK";
        } catch (const soci::soci_error&) {
            session.drop();
        }
    }

    Sessions sessions_;
};

} // namespace

std::unique_ptr<Database> open_postgresql(const std::string& connection,
                                          const std::string& password) {
    return std::make_unique<PostgresqlDatabase>(connection, password);
}

} // namespace apps
