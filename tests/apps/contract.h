// One body, two databases: what runs against both. A test asks for the databases that are there
// and opens as many connections as it likes.
#pragma once

#include "errors.h"
#include "postgresql_process.h"

#include "apps/store.h"

#include "base/error.h"
#include "base/temp_dir.h"

#include <catch2/catch.hpp>

#include <functional>
#include <memory>
#include <optional>
#include <string>

namespace contract {

using apps::Build;
using apps::BuildState;
using base::ErrorKind;

// One server for all tests of the program; each test has a database of its own in it.
inline PostgresqlProcess& postgresql() {
    static PostgresqlProcess process;
    return process;
}

class Place {
  public:
    explicit Place(bool postgresql) {
        if (postgresql) connection_ = contract::postgresql().fresh_database();
    }
    // Each has its own connections, as each process would.
    std::unique_ptr<apps::Store> open() const {
        if (connection_.empty()) return apps::open_sqlite_store(directory_.path() / "slipway.db");
        return apps::open_store({}, postgresql().connection(connection_), {});
    }

  private:
    base::TempDir directory_{"contract"};
    std::string connection_;
};

// Runs the rest of a test for each database: `CONTRACT_PLACE(place)` is its first line.
inline std::optional<Place> make_place(const std::string& database) {
    if (database == "postgresql" && PostgresqlProcess::is_missing()) return std::nullopt;
    return std::optional<Place>(std::in_place, database == "postgresql");
}
#define CONTRACT_PLACE(place)                                                                      \
    const std::string database_of_contract = GENERATE(as<std::string>{}, "sqlite", "postgresql");  \
    CAPTURE(database_of_contract);                                                                 \
    const auto opened_place = contract::make_place(database_of_contract);                          \
    if (!opened_place) return;                                                                     \
    const contract::Place& place = *opened_place

inline Build queued(const std::string& app, const std::string& id = apps::new_build_id()) {
    Build build;
    build.id = id;
    build.app = app;
    build.source_kind = "git";
    build.commit = std::string(40, 'a');
    build.ref = "refs/heads/main";
    build.created = apps::now_milliseconds();
    return build;
}

inline void end(apps::Store& store, apps::Claim claim, BuildState state = BuildState::published) {
    claim.build.state = state;
    claim.build.finished = claim.build.started + 100;
    store.builds().finish(claim.build, claim.fence);
}

} // namespace contract
