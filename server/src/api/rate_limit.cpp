#include "rate_limit.h"

#include <algorithm>
#include <arpa/inet.h>
#include <cmath>

namespace server::api {
namespace {

constexpr std::size_t many_buckets = 10'000;

std::chrono::seconds whole_seconds(double seconds) {
    return std::chrono::seconds(static_cast<long long>(std::ceil(std::max(0.0, seconds))));
}

} // namespace

double RateLimit::left_of(const Buckets& buckets, const std::string& who,
                          Clock::time_point now) const {
    const auto whole = static_cast<double>(per_minute_);
    const auto it = buckets.find(who);
    if (it == buckets.end()) return whole;
    const double seconds = std::chrono::duration<double>(now - it->second.at).count();
    return std::min(whole, it->second.left + seconds * whole / 60);
}

Allowance RateLimit::describe(double left, bool allowed) const {
    const double a_second = static_cast<double>(per_minute_) / 60;
    return {.allowed = allowed,
            .limit = per_minute_,
            .remaining = static_cast<std::uint64_t>(std::max(0.0, left)),
            .reset = whole_seconds((static_cast<double>(per_minute_) - left) / a_second),
            .retry_after =
                allowed ? std::chrono::seconds(0) : whole_seconds((1 - left) / a_second)};
}

void RateLimit::forget_rested(Buckets& buckets, Clock::time_point now) const {
    std::erase_if(buckets, [&](const auto& entry) {
        return now - entry.second.at > std::chrono::minutes(1);
    });
}

Allowance RateLimit::take(const std::string& who, Clock::time_point now) {
    if (per_minute_ == 0) return {};
    auto buckets = buckets_.lock();
    const double left = left_of(*buckets, who, now);
    const bool allowed = left >= 1;
    if (buckets->size() >= many_buckets) forget_rested(*buckets, now);
    (*buckets)[who] = {allowed ? left - 1 : left, now};
    return describe(allowed ? left - 1 : left, allowed);
}

Allowance RateLimit::look(const std::string& who, Clock::time_point now) {
    if (per_minute_ == 0) return {};
    const double left = left_of(*buckets_.lock(), who, now);
    return describe(left, left >= 1);
}

std::string network_of(const std::string& address) {
    in6_addr v6{};
    if (::inet_pton(AF_INET6, address.c_str(), &v6) != 1) return address;
    if (IN6_IS_ADDR_V4MAPPED(&v6)) { // ::ffff:192.0.2.1
        char v4[INET_ADDRSTRLEN] = {};
        ::inet_ntop(AF_INET, v6.s6_addr + 12, v4, sizeof v4);
        return v4;
    }
    std::fill(v6.s6_addr + 8, v6.s6_addr + 16, std::uint8_t{0});
    char text[INET6_ADDRSTRLEN] = {};
    ::inet_ntop(AF_INET6, &v6, text, sizeof text);
    return std::string(text) + "/64";
}

} // namespace server::api
