#include "api.h"

#include "../webhooks.h"

#include "remotes/keys.h"

#include "base/error.h"
#include "base/failpoint.h"
#include "base/log.h"
#include "base/text.h"

#include <nlohmann/json.hpp>

namespace server::api {
namespace {

using base::json::Value;

constexpr std::size_t longest_body = 25u << 20; // GitHub sends no more
constexpr std::size_t large_body = 1u << 20;
constexpr int most_large_bodies = 8; // at once: a body is held in memory as a whole
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

// Asks ssh-keygen: of one webhook, not of a list.
void add_host_keys(Value& shape, const Api& api, const Call& call, const apps::Hook& hook) {
    if (hook.known_hosts.empty()) return;
    shape["host_keys"] =
        remotes::fingerprints(hook.known_hosts, api.site().state.run(), call.stop());
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
    auto shape = shape_hook(api, made.hook);
    shape["secret"] = made.secret.reveal(); // here and never again
    add_host_keys(shape, api, call, made.hook);
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

// A place among the few whose bodies are large.
class LargeBody {
  public:
    explicit LargeBody(const http::RequestHead& head)
        : counts_(head.content_length.value_or(longest_body) > large_body) {
        if (counts_ && ++taken_ > most_large_bodies) {
            --taken_;
            throw Busy("too many large deliveries at once", come_again);
        }
    }
    ~LargeBody() {
        if (counts_) --taken_;
    }
    LargeBody(const LargeBody&) = delete;
    LargeBody& operator=(const LargeBody&) = delete;

  private:
    static inline std::atomic<int> taken_ = 0;
    const bool counts_;
};

std::string read_body(Call& call) {
    if (call.head().content_length.value_or(0) > longest_body)
        throw base::Error(base::ErrorKind::limit_exceeded,
                          "a delivery may have " + base::human_bytes(longest_body));
    const LargeBody place(call.head());
    return call.exchange().read_whole_body(longest_body);
}

Webhooks::Receipt receive(Webhooks& webhooks, Call& call) {
    const auto hook = webhooks.find(call.parameter("webhook")); // before a byte of the body is read
    const auto body = read_body(call);
    try {
        return webhooks.receive(hook, call.head().headers, body);
    } catch (const base::Error& error) {
        if (error.kind() == base::ErrorKind::limit_exceeded)
            throw Busy(error.message(), come_again);
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
        const auto hook = named_hook(api, call);
        auto shape = shape_hook(api, hook);
        add_host_keys(shape, api, call, hook);
        call.send(envelope(200, "webhook", std::move(shape)));
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
