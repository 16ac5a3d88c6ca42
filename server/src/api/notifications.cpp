#include "api.h"

#include "base/error.h"
#include "base/log.h"
#include "base/text.h"
#include "forges/event.h"
#include "http/url.h"

#include <nlohmann/json.hpp>

#include <algorithm>

namespace server::api {
namespace {

using base::json::Value;

constexpr std::size_t most_subscriptions = 20; // of one app
constexpr std::size_t longest_url = 2000;

Value shape_subscription(const apps::Subscription& subscription) {
    return {{"id", subscription.id},
            {"app", subscription.app},
            {"url", subscription.url},
            {"events", subscription.events},
            {"created_at", time_or_null(subscription.created)}};
}

Value shape_notice(const apps::Notice& notice) {
    const auto payload = base::json::parse(notice.payload, "a notice");
    return {{"id", notice.target + "_" + std::to_string(notice.number)},
            {"event", base::json::find_string(payload, "type").value_or(notice.kind)},
            {"build", notice.subject},
            {"state", notice.state},
            {"reason", text_or_null(notice.reason)},
            {"attempts", notice.attempts},
            {"created_at", time_or_null(notice.created)}};
}

// Of this app: another one's does not exist here.
apps::Subscription named_subscription(const Api& api, const Call& call) {
    const auto& id = call.parameter("notification");
    auto found = api.site().store.notices().find_subscription(id);
    if (!found || found->app != call.app().name)
        throw base::Error(base::ErrorKind::not_found,
                          "there is no notification " + base::quoted(id));
    return *found;
}

std::string parse_target(const Value& wanted) {
    const auto url = get_text(wanted, "url");
    try {
        if (url.size() > longest_url || base::printable(url) != url)
            throw base::Error(base::ErrorKind::invalid_input, "it is too long or not printable");
        http::parse_url(url);
    } catch (const base::Error& error) {
        throw FieldError("url", "this URL cannot be called: " + error.message(),
                         "Give one that begins with https:// and holds no password.");
    }
    return url;
}

std::vector<std::string> parse_events(const Value& wanted) {
    const auto events = find_texts(wanted, "events");
    for (const auto& event : events) {
        try {
            if (!event.starts_with("build."))
                throw base::Error(base::ErrorKind::invalid_input, "it does not begin so");
            apps::parse_build_state(event.substr(6));
        } catch (const base::Error&) {
            throw FieldError("events", "there is no event " + base::quoted(event),
                             "An event is \"build.\" and a state: build.published, build.refused.");
        }
    }
    return events;
}

http::Reply create(Api& api, const Call& call, const Value& wanted) {
    auto& notices = api.site().store.notices();
    apps::Subscription subscription;
    subscription.app = call.app().name;
    subscription.url = parse_target(wanted);
    subscription.events = parse_events(wanted);
    if (notices.list_subscriptions(subscription.app).size() >= most_subscriptions)
        throw base::Error(base::ErrorKind::limit_exceeded,
                          "an app has at most " + std::to_string(most_subscriptions) +
                              " notifications",
                          "Remove one first.");
    subscription.id = apps::new_id('n');
    subscription.created = apps::now_milliseconds();
    const auto secret = forges::make_event_secret();
    {
        const auto kept = api.site().keys.keep();
        subscription.sealed_secret =
            api.site().keys.seal(secret.reveal(), "subscription/" + subscription.id);
        notices.add(subscription);
    }
    base::log::info("a notification was added", {{"notification", subscription.id},
                                                 {"app", subscription.app},
                                                 {"by", call.principal().name}});
    auto shape = shape_subscription(subscription);
    shape["secret"] = secret.reveal(); // here and never again
    return envelope(201, "notification", std::move(shape));
}

void list_deliveries(Api& api, Call& call) {
    constexpr int newest = 1000;
    Value list = Value::array();
    for (const auto& notice :
         api.site().store.notices().list(named_subscription(api, call).id, newest))
        list.push_back(shape_notice(notice));
    call.send(list_reply("deliveries", list, call.head()));
}

} // namespace

void add_notification_routes(http::Router& router, Api& api) {
    const std::string all = "/v1/apps/{app}/notifications", one = all + "/{notification}";
    api.add(router, Access::deploy, "GET", all, [&](Call& call) {
        Value list = Value::array();
        for (const auto& each : api.site().store.notices().list_subscriptions(call.app().name))
            list.push_back(shape_subscription(each));
        call.send(list_reply("notifications", list, call.head()));
    });
    api.add(router, Access::deploy, "POST", all, [&](Call& call) {
        const auto wanted = open_envelope(call.read_json(), "notification");
        api.send_once(call, [&] { return create(api, call, wanted); });
    });
    api.add(router, Access::deploy, "DELETE", one, [&](Call& call) {
        const auto subscription = named_subscription(api, call);
        api.site().store.notices().remove_subscription(subscription.id);
        base::log::info("a notification was removed",
                        {{"notification", subscription.id}, {"by", call.principal().name}});
        call.send({.status = 204});
    });
    api.add(router, Access::deploy, "GET", one + "/deliveries",
            [&](Call& call) { list_deliveries(api, call); });
}

} // namespace server::api
