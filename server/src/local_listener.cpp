#include "local_listener.h"

#include "base/error.h"
#include "base/log.h"
#include "base/task_group.h"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <memory>
#include <system_error>
#include <unistd.h>

namespace server {
namespace {

using base::Error;
using base::ErrorKind;

constexpr auto time_to_ask = std::chrono::seconds(10);
constexpr auto time_to_hear = std::chrono::seconds(10); // an answer after which we close

} // namespace

void LocalListener::run(const base::Stop& stop) {
    base::TaskGroup conversations;
    while (!stop.requested()) {
        auto connection = wire::accept_from(listener_.get(), stop);
        if (!connection) break;
        const auto exchange = std::make_shared<wire::Exchange>(std::move(connection));
        try {
            conversations.start(
                [this, exchange](const base::Stop& ended) { serve(std::move(*exchange), ended); });
        } catch (const std::system_error&) {
            // No more threads: this caller finds the connection closed, the others go on.
            base::log::error("too many local connections");
        }
    }
}

bool LocalListener::is_allowed(uid_t uid) const {
    return uid == 0 || uid == ::geteuid() ||
           std::find(allowed_.begin(), allowed_.end(), uid) != allowed_.end();
}

void LocalListener::serve(wire::Exchange exchange, const base::Stop& stop) noexcept {
    try {
        try {
            if (!is_allowed(exchange.peer().uid))
                throw Error(ErrorKind::denied, "this socket is not for you");
            const auto request = exchange.read_request(stop.within(time_to_ask));
            const auto result = answer_(request, exchange, stop);
            exchange.send_result(result, stop.within(time_to_hear));
        } catch (const Error& error) {
            if (error.kind() == ErrorKind::internal)
                base::log::error("a request failed", {{"reason", error.describe()}});
            exchange.send_error(error, base::Stop{}.within(time_to_hear));
        } catch (const std::exception& error) {
            base::log::error("a request failed", {{"reason", error.what()}});
            exchange.send_error(Error(ErrorKind::internal, "the server failed: see its log"),
                                base::Stop{}.within(time_to_hear));
        }
    } catch (const std::exception&) {
        // Whom to tell? The peer has left.
    }
}

} // namespace server
