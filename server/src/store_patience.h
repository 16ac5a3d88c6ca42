// How the end of something is written: a database that is locked or full for a moment is waited
// for. Any thread.
#pragma once

#include <functional>

namespace server {

// Runs `write` until it does not throw Error{unavailable | limit_exceeded} any more, once a second
// and for a minute at most; then throws what it threw last, as it does at once with any other.
void write_patiently(const std::function<void()>& write);

} // namespace server
