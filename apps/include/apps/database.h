// One database: SQLite in a file, or PostgreSQL. It runs transactions, translates errors to
// base::Error and knows where the two dialects differ; what the tables mean is for the classes
// above it, whose SQL is the same for both. Any thread.
// Writes of several threads that wait at once may share one commit (SQLite); each is durable when
// its call returns, and one that throws undoes itself alone.
#pragma once

#include <atomic>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>

namespace apps {

class Session; // one connection with its prepared statements

class Database {
  public:
    virtual ~Database() = default;

    // It may run on the thread of another write that shares its commit, and again from its start
    // after a fault or when another of them throws: it sets what it returns anew, calls no Database
    // and waits for nobody.
    using Work = std::function<void(Session& sql)>;
    void read(const Work& work);
    void write(const Work& work);
    // Within a write: until it ends no other write is past this line, in any process. For what one
    // statement cannot decide alone.
    virtual void take_turns(Session& sql) = 0;
    // An SQL expression: milliseconds since 1970 by the database's clock.
    virtual std::string now() const = 0;
    // "sqlite" or "postgresql".
    virtual std::string kind() const = 0;
    // Throws Error{unavailable} when it does not answer: for /readyz.
    virtual void check() = 0;
    // Reads and writes so far that failed by the database's own fault: locked, gone, damaged, its
    // disk full. What a Work throws does not count.
    std::uint64_t faults() const noexcept { return faults_; }

  private:
    virtual void run_read(const Work& work) = 0;
    virtual void run_write(const Work& work) = 0;

    std::atomic<std::uint64_t> faults_{0};
};

// Opens or makes the database (mode 0600) and brings its schema to this program's version; one of a
// newer program is refused. WAL; a write is on the disk when it returns. Waits 5 s for a lock.
std::unique_ptr<Database> open_sqlite(const std::filesystem::path& file);
// connection: libpq's URI or key=value form; a password belongs into PGPASSFILE or `password`.
std::unique_ptr<Database> open_postgresql(const std::string& connection,
                                          const std::string& password = {});

} // namespace apps
