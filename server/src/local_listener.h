// Accepts on a local socket and answers each connection in a thread of its own. It knows no verb.
// The thread that calls run() owns it.
#pragma once

#include "base/fd.h"
#include "base/json.h"
#include "base/stop.h"

#include "wire/server.h"

#include <functional>
#include <sys/types.h>
#include <vector>

namespace server {

// Sends events itself; what it returns is the result, what it throws the error.
using Answer = std::function<base::json::Value(const base::json::Value& request,
                                               wire::Exchange& exchange, const base::Stop& stop)>;

class LocalListener {
  public:
    // allowed: the users who may ask beside root and ourselves.
    LocalListener(base::UniqueFd listener, std::vector<uid_t> allowed, Answer answer)
        : listener_(std::move(listener)), allowed_(std::move(allowed)), answer_(std::move(answer)) {
    }

    // Accepts until `stop`; then ends what is still being answered.
    void run(const base::Stop& stop);

  private:
    void serve(wire::Exchange exchange, const base::Stop& stop) noexcept;
    bool is_allowed(uid_t uid) const;

    base::UniqueFd listener_;
    std::vector<uid_t> allowed_;
    Answer answer_;
};

} // namespace server
