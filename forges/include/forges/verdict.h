// What an answer of another server means for what we wanted to tell it. A value; any thread.
#pragma once

#include "http/client.h"

#include <chrono>
#include <string>

namespace forges {

enum class Ending { done, again, never };

struct Verdict {
    Ending ending = Ending::done;
    std::string reason;            // for people; never the body of a stranger's answer
    std::chrono::seconds after{0}; // again: not sooner than this
};

// 2xx is done. 408, 429, 5xx and a 403 that is a rate limit (GitHub) come again, after Retry-After
// or the limit's reset (at most an hour); everything else never.
// `now`: seconds since 1970, for resets that are given as a time.
Verdict judge(const http::Response& response, std::int64_t now);

// Sends, and judges what came: a server that cannot be reached is asked again, one whose address
// may not be called or whose certificate is not trusted never. Throws Error{cancelled} alone.
struct Told {
    Verdict verdict;
    std::string body; // of a 2xx answer
};
Told tell(http::Client& client, const http::Request& request, const base::Stop& stop);

} // namespace forges
