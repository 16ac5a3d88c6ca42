#include "store_patience.h"

#include "base/error.h"
#include "base/stop.h"

#include <chrono>

namespace server {

void write_patiently(const std::function<void()>& write) {
    const auto stop = base::Stop{}.within(std::chrono::seconds(60));
    for (;;) {
        try {
            return write();
        } catch (const base::Error& error) {
            const bool passing = error.kind() == base::ErrorKind::unavailable ||
                                 error.kind() == base::ErrorKind::limit_exceeded;
            if (!passing || stop.wait(std::chrono::seconds(1))) throw;
        }
    }
}

} // namespace server
