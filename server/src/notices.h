// Tells forges (commit statuses, GitHub's deployments) and subscribers (signed webhooks) how builds
// go. What is to be said stands in the table since the state itself does (build_report.h); a thread
// of its own says it, so that no build waits for a slow forge. A state that a newer one has
// overtaken is not said any more. The server's main owns it; any thread may call wake.
#pragma once

#include "apps/store.h"

#include "base/crypto.h"
#include "base/fd.h"
#include "base/guarded.h"
#include "base/stop.h"
#include "forges/verdict.h"

#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

namespace http {
class Client;
}

namespace server {

struct NoticeSettings {
    // Hosts that may be called although their address is private.
    std::vector<std::string> allowed_private_hosts;
    std::string ca_file;
    std::chrono::milliseconds first_retry{5000}; // then four times as long each time
    std::chrono::milliseconds longest_retry{std::chrono::hours(6)};
    int most_attempts = 10;
    // Between two calls to one forge: they count what changes something, and refuse bursts.
    std::chrono::milliseconds gap{1000};
};

class NoticeSender {
  public:
    NoticeSender(apps::Store& store, const base::KeyRing& keys, NoticeSettings settings);
    ~NoticeSender();

    // Says what is due until the stop; what a server that is no more left unsaid, too.
    void run(const base::Stop& stop);
    void wake() noexcept; // something may be due

  private:
    struct Shared {
        std::set<std::string> busy; // targets that a thread talks to
    };
    std::vector<apps::Notice> list_by_turn();
    bool start_due(const std::function<void(apps::Notice)>& start);
    void say(apps::Notice notice, const base::Stop& stop);
    bool is_overtaken(const apps::Notice& notice);
    forges::Verdict send(apps::Notice& notice, const base::Stop& stop);
    forges::Verdict send_to_forge(apps::Notice& notice, const base::Stop& stop);
    forges::Verdict send_event(const apps::Notice& notice, const base::Stop& stop);
    void settle(apps::Notice notice, const forges::Verdict& verdict);
    http::Client& client_for(const std::string& url);
    int wait_until_due();

    apps::Store& store_;
    const base::KeyRing& keys_;
    const NoticeSettings settings_;
    base::UniqueFd wake_;
    base::Guarded<Shared> shared_;
    // Of run()'s thread alone: when each target was talked to.
    std::map<std::string, std::uint64_t> turns_;
    std::uint64_t turn_ = 0;
    struct Clients;
    std::unique_ptr<Clients> clients_;
};

} // namespace server
