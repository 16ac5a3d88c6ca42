#include "api.h"

#include "../webhooks.h"

#include "remotes/keys.h"

#include "base/error.h"
#include "base/failpoint.h"
#include "base/log.h"
#include "base/text.h"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <atomic>
#include <chrono>

namespace server::api {
namespace {

using base::json::Value;

constexpr std::size_t longest_body = 25u << 20;           // GitHub sends no more
constexpr std::size_t most_of_all_bodies = 100u << 20;    // at once: each is held as a whole
constexpr std::chrono::milliseconds time_to_come{60'000}; // of a whole body; forges give up sooner
constexpr std::chrono::seconds come_again{30};

Webhooks& webhooks_of(const Api& api) {
    if (!api.site().webhooks)
        throw base::Error(base::ErrorKind::unavailable, "this server takes no webhooks");
    return *api.site().webhooks;
}

Value shape_hook(const Api& api, const apps::Hook& hook) {
    const auto& site = api.site();
    return {{"id", hook.id},
            {"app", hook.app},
            {"kind", hook.kind},
            {"repository", hook.repository},
            {"branch", hook.branch},
            {"clone_url", hook.clone_url},
            {"api_url", text_or_null(hook.api_url)},
            {"url", site.http_url + "/hooks/" + hook.id},
            {"options", hook_options(hook.options)},
            {"has_token", !hook.sealed_token.empty()},
            {"ssh_public_key", text_or_null(hook.ssh_public_key)},
            {"head", text_or_null(hook.head)},
            {"checked_at", time_or_null(hook.checked)},
            {"problem", text_or_null(webhooks_of(api).problem_of(hook.id))},
            {"created_at", time_or_null(hook.created)}};
}

// Of one webhook: what its host has to show, for people to compare.
Value shape_whole_hook(Api& api, const Call& call, const apps::Hook& hook) {
    auto shape = shape_hook(api, hook);
    if (!hook.known_hosts.empty())
        shape["host_keys"] =
            remotes::fingerprints(hook.known_hosts, api.site().state.run(), call.stop());
    return shape;
}

Value shape_delivery(const apps::Delivery& delivery) {
    return {{"id", delivery.delivery},
            {"event", delivery.event},
            {"ref", text_or_null(delivery.ref)},
            {"commit", text_or_null(delivery.commit)},
            {"state", delivery.state},
            {"reason", text_or_null(delivery.reason)},
            {"build", text_or_null(delivery.build)},
            {"received_at", time_or_null(delivery.received)},
            {"replays", delivery.replays}};
}

// Of this app: another one's webhook does not exist here.
apps::Hook named_hook(const Api& api, const Call& call) {
    auto hook = webhooks_of(api).find(call.parameter("webhook"));
    if (hook.app != call.app().name)
        throw base::Error(base::ErrorKind::not_found,
                          "there is no webhook " + base::quoted(hook.id));
    return hook;
}

http::Reply create_hook(Api& api, const Call& call, const Value& wanted) {
    NewHook hook{.app = call.app().name,
                 .kind = get_text(wanted, "kind"),
                 .repository = get_text(wanted, "repository"),
                 .branch = find_text(wanted, "branch").value_or(""),
                 .clone_url = find_text(wanted, "clone_url").value_or(""),
                 .api_url = find_text(wanted, "api_url").value_or(""),
                 .token = base::Secret(find_text(wanted, "token").value_or("")),
                 .known_hosts = find_text(wanted, "known_hosts").value_or("")};
    if (const auto it = wanted.find("options"); it != wanted.end() && !it->is_null())
        hook.options = base::json::render(*it);
    const auto made = webhooks_of(api).add(hook, call.stop());
    base::log::info(
        "a webhook was added",
        {{"webhook", made.hook.id}, {"app", made.hook.app}, {"by", call.principal().name}});
    auto shape = shape_whole_hook(api, call, made.hook);
    shape["secret"] = made.secret.reveal(); // here and never again
    return envelope(201, "webhook", std::move(shape));
}

void list_deliveries(Api& api, Call& call) {
    const auto hook = named_hook(api, call);
    const auto page = parse_page(call.head());
    auto& hooks = api.site().store.hooks();
    Value list = Value::array();
    for (const auto& delivery : hooks.list_deliveries(hook.id, page.size, page.offset()))
        list.push_back(shape_delivery(delivery));
    call.send(list_reply("deliveries", std::move(list), page, hooks.count_deliveries(hook.id)));
}

// What bodies take of the memory, from their first byte until they are parsed and kept. A body is
// counted as it comes: whoever announces much and sends nothing keeps nobody else out.
class BodyMemory {
  public:
    BodyMemory() = default;
    ~BodyMemory() { all_ -= mine_; }
    BodyMemory(const BodyMemory&) = delete;
    BodyMemory& operator=(const BodyMemory&) = delete;

    void take(std::size_t bytes) {
        mine_ += bytes;
        if ((all_ += bytes) > most_of_all_bodies)
            throw Busy("too many large deliveries at once", come_again);
    }

  private:
    static inline std::atomic<std::size_t> all_ = 0;
    std::size_t mine_ = 0;
};

// The server's least rate alone would let a large one come for hours.
std::string read_body(Call& call, BodyMemory& memory) {
    const auto too_long = [] {
        return base::Error(base::ErrorKind::limit_exceeded,
                           "a delivery may have " + base::human_bytes(longest_body));
    };
    if (call.head().content_length.value_or(0) > longest_body) throw too_long();
    const auto ends = std::chrono::steady_clock::now() + time_to_come;
    std::string body;
    // Not all that was announced: it may never come.
    body.reserve(std::min<std::uint64_t>(call.head().content_length.value_or(0), 64u << 10));
    char piece[16u << 10];
    while (const auto n = call.exchange().read_body(piece, sizeof piece)) {
        if (body.size() + n > longest_body) throw too_long();
        if (std::chrono::steady_clock::now() > ends)
            throw base::Error(base::ErrorKind::timed_out,
                              "the delivery took longer than " +
                                  base::human_duration(time_to_come.count()));
        memory.take(n);
        body.append(piece, n);
    }
    return body;
}

Webhooks::Receipt receive(Webhooks& webhooks, Call& call) {
    const auto& hook = call.parameter("webhook");
    webhooks.expect(hook);
    BodyMemory memory;
    const auto body = read_body(call, memory);
    try {
        return webhooks.receive(hook, call.head().headers, body);
    } catch (const base::Error& error) {
        if (error.kind() == base::ErrorKind::limit_exceeded)
            throw Busy(error.message(), come_again, error.hint());
        throw;
    }
}

void take_delivery(Api& api, Call& call) {
    using Fate = Webhooks::Receipt::Fate;
    auto& webhooks = webhooks_of(api);
    const auto receipt = receive(webhooks, call);
    base::failpoint("delivery_recorded");
    if (receipt.fate == Fate::ignored)
        return call.send(
            json_reply(200, {{"delivery", receipt.delivery}, {"ignored", receipt.reason}}));
    if (receipt.fate == Fate::duplicate)
        return call.send(json_reply(200, {{"delivery", receipt.delivery}, {"duplicate", true}}));
    call.send(json_reply(202, {{"delivery", receipt.delivery}}));
    base::failpoint("delivery_acknowledged");
    webhooks.look();
}

} // namespace

void add_webhook_routes(http::Router& router, Api& api) {
    const std::string all = "/v1/apps/{app}/webhooks", one = all + "/{webhook}";
    api.add(router, Access::deploy, "GET", all, [&](Call& call) {
        Value list = Value::array();
        for (const auto& hook : api.site().store.hooks().list(call.app().name))
            list.push_back(shape_hook(api, hook));
        call.send(list_reply("webhooks", list, call.head()));
    });
    api.add(router, Access::deploy, "POST", all, [&](Call& call) {
        const auto wanted = open_envelope(call.read_json(), "webhook");
        api.send_once(call, [&] { return create_hook(api, call, wanted); });
    });
    api.add(router, Access::deploy, "GET", one, [&](Call& call) {
        call.send(envelope(200, "webhook", shape_whole_hook(api, call, named_hook(api, call))));
    });
    api.add(router, Access::deploy, "DELETE", one, [&](Call& call) {
        const auto hook = named_hook(api, call);
        api.site().store.hooks().remove(hook.id);
        base::log::info("a webhook was removed",
                        {{"webhook", hook.id}, {"by", call.principal().name}});
        call.send({.status = 204});
    });
    api.add(router, Access::deploy, "GET", one + "/deliveries",
            [&](Call& call) { list_deliveries(api, call); });
    api.add(router, Access::deploy, "POST", one + "/deliveries/{delivery}/replay", [&](Call& call) {
        const auto hook = named_hook(api, call);
        call.read_json();
        api.send_once(call, [&] {
            const auto delivery = webhooks_of(api).replay(hook, call.parameter("delivery"));
            return envelope(202, "delivery", shape_delivery(delivery));
        });
    });
    api.add(router, Access::open, "POST", "/hooks/{webhook}",
            [&](Call& call) { take_delivery(api, call); });
}

} // namespace server::api
