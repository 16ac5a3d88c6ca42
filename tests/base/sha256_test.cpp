#include "base/sha256.h"

#include "base/crypto.h"
#include "base/error.h"

#include <catch2/catch.hpp>

TEST_CASE("a running hash of pieces is the hash of the whole") {
    base::Sha256 hash;
    CHECK(base::to_hex(base::Sha256().finish()) ==
          "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    const std::string text(100'000, 'x');
    for (std::size_t at = 0; at < text.size(); at += 777)
        hash.update(std::string_view(text).substr(at, 777));
    CHECK(base::to_hex(hash.finish()) == base::sha256_hex(text));
    CHECK_THROWS_AS(hash.finish(), base::Error);
}
