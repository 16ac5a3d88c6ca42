// How PostgreSQL is reached, and what its errors mean.
#pragma once

#include "session.h"

#include <memory>
#include <string>

namespace apps {

// Of libpq's URI or key=value form, as SOCI hands it on. Throws Error{invalid_input}.
std::string connection_settings(const std::string& connection, const std::string& password);
std::unique_ptr<Session> connect(const std::string& settings); // throws Error{unavailable}

enum class Fault { broken_by_others, connection_lost, other };
Fault judge(const soci::soci_error& error, Session& session);
[[noreturn]] void throw_error(const soci::soci_error& error);

} // namespace apps
