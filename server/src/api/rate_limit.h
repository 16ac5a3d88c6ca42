// Token buckets: so many a minute for each name, a whole minute's worth at once after a rest. Any
// thread. It forgets who has rested: memory is bounded by those who ask now.
#pragma once

#include "base/guarded.h"

#include <chrono>
#include <cstdint>
#include <string>
#include <unordered_map>

namespace server::api {

struct Allowance {
    bool allowed = true;
    std::uint64_t limit = 0; // a minute; 0: there is none
    std::uint64_t remaining = 0;
    std::chrono::seconds reset{0};       // until it is whole again
    std::chrono::seconds retry_after{0}; // until one more is there
};

class RateLimit {
  public:
    using Clock = std::chrono::steady_clock;
    explicit RateLimit(std::uint64_t per_minute) : per_minute_(per_minute) {}

    // Takes one from `who`.
    Allowance take(const std::string& who, Clock::time_point now = Clock::now());
    // What take would say, taking nothing.
    Allowance look(const std::string& who, Clock::time_point now = Clock::now());

  private:
    struct Bucket {
        double left = 0;
        Clock::time_point at;
    };
    using Buckets = std::unordered_map<std::string, Bucket>;
    double left_of(const Buckets& buckets, const std::string& who, Clock::time_point now) const;
    Allowance describe(double left, bool allowed) const;
    void forget_rested(Buckets& buckets, Clock::time_point now) const;

    const std::uint64_t per_minute_;
    base::Guarded<Buckets> buckets_;
};

// Whom an address stands for: an IPv6 network of 64 bits belongs to one customer.
std::string network_of(const std::string& address);

} // namespace server::api
