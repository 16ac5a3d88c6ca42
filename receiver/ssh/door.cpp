#include "ssh/door.h"

#include "base/error.h"
#include "base/json.h"
#include "wire/client.h"

#include <nlohmann/json.hpp>

namespace receiver {

using base::Error;
using base::ErrorKind;

std::optional<std::string> Door::identify(const std::string& fingerprint, const base::Stop& stop) {
    try {
        const auto answer = wire::call(
            socket_, {{"verb", "door.identify"}, {"fingerprint", fingerprint}}, {}, stop);
        return base::json::get_string(answer, "user");
    } catch (const Error& error) {
        if (error.kind() == ErrorKind::denied) return std::nullopt;
        throw;
    }
}

std::optional<Opened> Door::open(const std::string& fingerprint, const std::string& app,
                                 Service service, const base::Stop& stop) {
    try {
        const auto answer = wire::call(socket_,
                                       {{"verb", "door.open"},
                                        {"fingerprint", fingerprint},
                                        {"app", app},
                                        {"service", std::string(to_string(service))}},
                                       {}, stop);
        Opened opened{.repository = base::json::get_string(answer, "repository"),
                      .push = base::json::get_string(answer, "push")};
        if (!opened.repository.is_absolute())
            throw Error(ErrorKind::internal, "the daemon named a relative repository");
        return opened;
    } catch (const Error& error) {
        if (error.kind() == ErrorKind::not_found || error.kind() == ErrorKind::denied)
            return std::nullopt;
        throw;
    }
}

} // namespace receiver
