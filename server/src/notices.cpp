#include "notices.h"

#include "base/error.h"
#include "base/failpoint.h"
#include "base/log.h"
#include "base/task_group.h"
#include "forges/event.h"
#include "forges/report.h"
#include "http/address.h"
#include "http/client.h"

#include "build_report.h"
#include "webhook_hook.h"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>
#include <utility>

namespace server {
namespace {

using base::Error;
using forges::Ending;
using forges::Verdict;

constexpr std::size_t most_at_once = 4;     // targets that are talked to side by side
constexpr int most_due = 1000;              // targets that are looked at
constexpr int pause_without_a_table = 1000; // milliseconds
constexpr auto pause_after_error = std::chrono::seconds(10);
constexpr auto longest_call = std::chrono::seconds(60);

http::ClientOptions client_options(const std::string& ca_file) {
    http::ClientOptions options;
    options.ca_file = ca_file;
    options.connect_timeout = std::chrono::seconds(10);
    options.stall_timeout = std::chrono::seconds(30);
    return options;
}

http::ClientOptions guarded_options(const std::string& ca_file) {
    auto options = client_options(ca_file);
    options.allow_address = [](const std::string& address) {
        return http::is_public_address(address);
    };
    return options;
}

} // namespace

struct NoticeSender::Clients {
    explicit Clients(const std::string& ca_file)
        : guarded(guarded_options(ca_file)), trusted(client_options(ca_file)) {}
    http::Client guarded; // for every host but those that the operator allowed
    http::Client trusted;
};

NoticeSender::NoticeSender(apps::Store& store, const base::KeyRing& keys, NoticeSettings settings)
    : store_(store), keys_(keys), settings_(std::move(settings)),
      wake_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)),
      clients_(std::make_unique<Clients>(settings_.ca_file)) {
    if (!wake_) base::throw_errno("could not make an event");
}

NoticeSender::~NoticeSender() = default;

void NoticeSender::run(const base::Stop& stop) {
    base::TaskGroup threads;
    const auto start = [&](apps::Notice notice) {
        threads.start([this, stop, notice = std::move(notice)](const base::Stop&) {
            say(notice, stop);
            shared_.lock()->busy.erase(notice.target);
            wake();
        });
    };
    bool reads = true;
    while (!stop.requested()) {
        std::uint64_t count = 0;
        [[maybe_unused]] const auto cleared = ::read(wake_.get(), &count, sizeof count);
        int patience = pause_without_a_table;
        try {
            patience = start_due(start) ? -1 : wait_until_due();
            reads = true;
        } catch (const std::exception& error) {
            if (std::exchange(reads, false)) // said once, until it works again
                base::log::warning("notices cannot be read", {{"reason", error.what()}});
        }
        pollfd fds[] = {{wake_.get(), POLLIN, 0}, {stop.fd(), POLLIN, 0}};
        ::poll(fds, 2, patience);
    }
    threads.join();
}

// True when as many targets as may be are talked to: one that ends wakes us.
bool NoticeSender::start_due(const std::function<void(apps::Notice)>& start) {
    for (auto& notice : list_by_turn()) {
        {
            auto shared = shared_.lock();
            if (shared->busy.size() >= most_at_once) return true;
            if (!shared->busy.insert(notice.target).second) continue;
        }
        turns_[notice.target] = ++turn_;
        start(std::move(notice));
    }
    return !shared_.lock()->busy.empty();
}

// The target that was talked to longest ago first: those that never answer take turns with the
// others, however much they are still to be told.
std::vector<apps::Notice> NoticeSender::list_by_turn() {
    auto due = store_.notices().list_due(apps::now_milliseconds(), most_due);
    std::map<std::string, std::uint64_t> turns; // who has nothing to hear is forgotten
    for (const auto& notice : due) turns[notice.target] = turns_[notice.target];
    turns_ = std::move(turns);
    std::stable_sort(due.begin(), due.end(), [&](const auto& a, const auto& b) {
        return turns_.at(a.target) < turns_.at(b.target);
    });
    return due;
}

int NoticeSender::wait_until_due() {
    const auto next = store_.notices().next_due();
    if (!next) return -1;
    constexpr std::int64_t an_hour = 3'600'000;
    return static_cast<int>(std::clamp<std::int64_t>(*next - apps::now_milliseconds(), 0, an_hour));
}

void NoticeSender::say(apps::Notice notice, const base::Stop& stop) {
    try {
        if (is_overtaken(notice)) {
            notice.state = "sent";
            notice.reason = "a newer state was told instead";
            return store_.notices().update(notice);
        }
        const auto verdict = send(notice, stop.within(longest_call));
        base::failpoint("notice_sent");
        const bool is_event = notice.kind == "event";
        settle(std::move(notice), verdict);
        if (!is_event) stop.wait(settings_.gap);
    } catch (const std::exception& error) { // or the target would be busy for ever
        if (stop.requested()) return;
        base::log::warning("a notice could not be sent", {{"reason", error.what()}});
        stop.wait(pause_after_error); // the database is away, or the row is not to be read
    }
}

// Forges show the last state alone; a subscriber gets every event.
bool NoticeSender::is_overtaken(const apps::Notice& notice) {
    if (notice.kind == "event") return false;
    const auto others = store_.notices().list_of(notice.target, notice.subject);
    return std::any_of(others.begin(), others.end(), [&](const apps::Notice& other) {
        return other.number > notice.number && other.kind == notice.kind;
    });
}

Verdict NoticeSender::send(apps::Notice& notice, const base::Stop& stop) {
    try {
        return notice.kind == "event" ? send_event(notice, stop) : send_to_forge(notice, stop);
    } catch (const Error& error) {
        if (error.kind() == base::ErrorKind::cancelled || stop.requested()) throw;
        return {Ending::never, error.message(), {}};
    }
}

Verdict NoticeSender::send_to_forge(apps::Notice& notice, const base::Stop& stop) {
    const auto hook = store_.hooks().find(notice.target);
    if (!hook) return {Ending::never, "the webhook is no more", {}};
    const forges::Forge forge{hook->kind, hook->api_url, hook->repository,
                              keys_.unseal(hook->sealed_token, context_of_hook(hook->id))};
    auto& client = client_for(hook->api_url);
    if (http::parse_url(hook->api_url).scheme != "https" && &client != &clients_->trusted)
        return {
            Ending::never, "the token is not sent in clear: the forge's API has no https://", {}};
    const auto report = parse_report(notice.payload);
    if (notice.kind == "status")
        return forges::tell(client, forges::render_status(forge, report), stop).verdict;
    auto deployment = find_deployment(store_.notices().list_of(notice.target, notice.subject));
    if (deployment.empty()) {
        const auto made = forges::tell(client, forges::render_deployment(forge, report), stop);
        if (made.verdict.ending != Ending::done) return made.verdict;
        deployment = forges::parse_deployment(made.body);
        note_deployment(notice, deployment);
        store_.notices().update(notice); // a crash after this makes no second deployment
    }
    return forges::tell(client, forges::render_deployment_status(forge, report, deployment), stop)
        .verdict;
}

Verdict NoticeSender::send_event(const apps::Notice& notice, const base::Stop& stop) {
    const auto subscription = store_.notices().find_subscription(notice.target);
    if (!subscription) return {Ending::never, "the subscription is no more", {}};
    const auto secret =
        keys_.unseal(subscription->sealed_secret, "subscription/" + subscription->id);
    // The same id each time: whoever gets it twice can tell.
    const auto request = forges::render_event(
        subscription->url, secret, subscription->id + "_" + std::to_string(notice.number),
        apps::now_milliseconds() / 1000, notice.payload);
    return forges::tell(client_for(subscription->url), request, stop).verdict;
}

void NoticeSender::settle(apps::Notice notice, const Verdict& verdict) {
    ++notice.attempts;
    notice.reason = verdict.reason;
    if (verdict.ending == Ending::done) {
        notice.state = "sent";
    } else if (verdict.ending == Ending::never || notice.attempts >= settings_.most_attempts) {
        notice.state = "failed";
        base::log::warning("a notice was given up", {{"app", notice.app},
                                                     {"build", notice.subject},
                                                     {"kind", notice.kind},
                                                     {"reason", notice.reason}});
    } else {
        auto wait = settings_.first_retry;
        for (int i = 1; i < notice.attempts && wait < settings_.longest_retry; ++i) wait *= 4;
        wait = std::max<std::chrono::milliseconds>(std::min(wait, settings_.longest_retry),
                                                   verdict.after);
        notice.due = apps::now_milliseconds() + wait.count();
    }
    store_.notices().update(notice);
}

http::Client& NoticeSender::client_for(const std::string& url) {
    const auto parts = http::parse_url(url);
    const auto with_port = parts.host + ":" + std::to_string(parts.port);
    const auto& allowed = settings_.allowed_private_hosts;
    const bool trusted = std::any_of(allowed.begin(), allowed.end(), [&](const std::string& host) {
        return host == parts.host || host == with_port;
    });
    return trusted ? clients_->trusted : clients_->guarded;
}

void NoticeSender::wake() noexcept {
    const std::uint64_t one = 1;
    [[maybe_unused]] const auto written = ::write(wake_.get(), &one, sizeof one);
}

} // namespace server
