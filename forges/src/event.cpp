#include "forges/event.h"

#include "base/crypto.h"
#include "base/error.h"

#include <sys/random.h>

namespace forges {
namespace {

constexpr std::string_view prefix = "whsec_";

} // namespace

base::Secret make_event_secret() {
    std::string bytes(32, '\0');
    if (::getrandom(bytes.data(), bytes.size(), 0) != static_cast<ssize_t>(bytes.size()))
        base::throw_errno("could not make a secret");
    return base::Secret(std::string(prefix) + base::base64_encode(bytes));
}

http::Request render_event(const std::string& url, const base::Secret& secret,
                           const std::string& id, std::int64_t seconds, std::string body) {
    if (!secret.reveal().starts_with(prefix))
        throw base::Error(base::ErrorKind::invalid_input, "the secret does not begin with whsec_");
    const auto key = base::base64_decode(std::string_view(secret.reveal()).substr(prefix.size()));
    const auto time = std::to_string(seconds);
    const auto signature = base::hmac_sha256(key, id + "." + time + "." + body);
    http::Request request;
    request.method = "POST";
    request.url = url;
    request.headers = {"Content-Type: application/json", "webhook-id: " + id,
                       "webhook-timestamp: " + time,
                       "webhook-signature: v1," + base::base64_encode(signature)};
    request.body = std::move(body);
    request.longest_body = 64u << 10;
    return request;
}

} // namespace forges
