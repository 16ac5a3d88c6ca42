// Idempotency-Key: the same request sent twice starts one thing.
#include "api.h"

#include "apps/store.h"

#include "base/crypto.h"
#include "base/error.h"
#include "base/failpoint.h"
#include "base/log.h"
#include "base/text.h"

#include <nlohmann/json.hpp>

namespace server::api {
namespace {

using base::Error;
using base::ErrorKind;
using base::json::Value;

constexpr std::size_t longest_key = 255;
const std::pair<std::string, std::string> replayed{"Idempotent-Replayed", "true"};
constexpr std::int64_t an_hour = 3'600'000;
constexpr std::int64_t a_day = 24 * an_hour;

// The parts of an answer that a client reads: what belongs to the one request is made anew.
std::string render_kept(const http::Reply& reply) {
    Value headers = Value::object();
    for (const auto& [name, value] : reply.headers)
        if (name == "Content-Type" || name == "Location") headers[name] = value;
    return base::json::render({{"headers", headers}, {"body", reply.body}});
}

// Sealed: it may show a token for the only time.
std::string context_of(const std::string& caller, const std::string& key) {
    return "answer/" + caller + "/" + key;
}

http::Reply parse_kept(int status, const std::string& text) {
    const auto kept = base::json::parse(text, "a kept answer");
    http::Reply reply{status, {}, base::json::get_string(kept, "body")};
    for (const auto& [name, value] : kept.at("headers").items())
        reply.headers.emplace_back(name, value.get<std::string>());
    reply.headers.push_back(replayed);
    return reply;
}

} // namespace

Api::Made Api::make_once(Call& call, std::string_view body_hash,
                         const std::function<http::Reply()>& make, const Show& show) {
    const auto key = call.head().header("idempotency-key");
    if (!key) return {make(), false};
    if (key->empty() || key->size() > longest_key || base::printable(*key) != *key)
        throw Error(ErrorKind::invalid_input,
                    "an Idempotency-Key is 1 to 255 printable characters");
    auto& answers = site_.store.idempotency();
    const auto& caller = call.principal().id;
    const auto request = base::sha256_hex(call.head().method + "\n" + call.head().target + "\n" +
                                          std::string(body_hash));
    forget_old_answers();
    if (const auto known =
            answers.begin(caller, *key, request, apps::now_milliseconds(), site_.name)) {
        if (known->request_hash != request)
            throw Error(ErrorKind::already_exists,
                        "this Idempotency-Key was used for another request",
                        "A new request needs a new key.");
        return {give_again(*known, context_of(caller, *key), show), true};
    }
    base::failpoint("request_begun");
    http::Reply reply;
    try {
        reply = make();
    } catch (...) {
        answers.forget(caller, *key);
        throw;
    }
    try {
        const auto kept = site_.keys.keep();
        answers.finish(caller, *key, reply.status,
                       site_.keys.seal(render_kept(reply), context_of(caller, *key)));
    } catch (const Error& error) { // the thing is made: its maker must hear of it
        base::log::warning("an answer could not be kept", {{"reason", error.describe()}});
    }
    return {std::move(reply), false};
}

// Without an answer of its own the build is the truth, whether its request is under way or was cut
// off with the server.
http::Reply Api::give_again(const apps::Remembered& known, const std::string& context,
                            const Show& show) const {
    if (known.status != 0) return unseal_answer(known, context);
    if (known.build.empty() || !show)
        throw Error(ErrorKind::already_exists,
                    "the first request with this Idempotency-Key is still being answered",
                    "Ask again in a moment.");
    const auto build = site_.store.builds().find(known.build);
    if (!build)
        throw Error(ErrorKind::already_exists,
                    "the build of this Idempotency-Key, " + known.build + ", is kept no longer",
                    "A new build needs a new key.");
    auto reply = show(*build);
    reply.headers.push_back(replayed);
    return reply;
}

http::Reply Api::unseal_answer(const apps::Remembered& known, const std::string& context) const {
    try {
        return parse_kept(known.status, site_.keys.unseal(known.body, context).reveal());
    } catch (const Error& error) {
        if (error.kind() != ErrorKind::denied) throw;
        throw Error(ErrorKind::already_exists,
                    "the first request was answered, and its answer cannot be read any more",
                    "The server's key was changed since. Look whether the thing is there.");
    }
}

void Api::send_once(Call& call, const std::function<http::Reply()>& make, const Show& show) {
    call.send(make_once(call, base::sha256_hex(call.body()), make, show).reply);
}

// Once an hour is enough for what is kept a day.
void Api::forget_old_answers() {
    const auto now = apps::now_milliseconds();
    auto last = forgot_at_.load();
    if (now - last < an_hour || !forgot_at_.compare_exchange_strong(last, now)) return;
    const int gone = site_.store.idempotency().remove_before(now - a_day);
    if (gone > 0) base::log::debug("old answers were forgotten", {{"count", std::to_string(gone)}});
}

} // namespace server::api
