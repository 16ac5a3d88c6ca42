// What a call throws. On the test's own thread.
#pragma once

#include "base/error.h"

#include <catch2/catch.hpp>

#include <stdexcept>

// The test fails when nothing is thrown, or an error without a word.
template <class Call>
base::Error error_of(Call&& call) {
    try {
        call();
    } catch (const base::Error& error) {
        CHECK_FALSE(error.message().empty());
        return error;
    }
    FAIL("nothing was thrown");
    throw std::logic_error("FAIL returned");
}

template <class Call>
base::ErrorKind kind_of(Call&& call) {
    return error_of(call).kind();
}
