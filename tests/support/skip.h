// What a test needs and this machine lacks: a line on standard error, and a failure in CI.
#pragma once

#include "base/error.h"
#include "base/process.h"

#include <cstdlib>
#include <iostream>
#include <string>
#include <unistd.h>

// True: the test must return at once.
inline bool must_skip(bool lacking, const std::string& what) {
    if (!lacking) return false;
    std::cerr << "SKIP: " << what << "\n";
    const char* ci = std::getenv("CI");
    if (ci && std::string(ci) == "true")
        throw base::Error(base::ErrorKind::not_found, "in CI nothing may be skipped: " + what);
    return true;
}

inline bool is_missing(const std::string& program) {
    return must_skip(base::find_program(program).empty(), program + " is not installed");
}

inline bool is_not_root() {
    return must_skip(::geteuid() != 0, "owners and devices can be made by root alone");
}
