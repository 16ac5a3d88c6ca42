#include "store_patience.h"

#include "errors.h"

#include "base/error.h"

#include <catch2/catch.hpp>

using base::Error;
using base::ErrorKind;

TEST_CASE("what a database does not take for a moment is written again, and nothing else is") {
    int tries = 0;
    server::write_patiently([&] {
        if (++tries == 1) throw Error(ErrorKind::unavailable, "the database is locked");
    });
    CHECK(tries == 2);
    tries = 0;
    CHECK(kind_of([&] {
              server::write_patiently([&] {
                  ++tries;
                  throw Error(ErrorKind::denied, "the lease was taken away");
              });
          }) == ErrorKind::denied);
    CHECK(tries == 1);
}
