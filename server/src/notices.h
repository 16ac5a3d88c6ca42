// Tells forges (commit statuses, GitHub's deployments) and subscribers (signed webhooks) how builds
// go. What is to be said is a row first, so that it outlives a crash; a thread of its own says it,
// so that no build waits for a slow forge. A state that a newer one has overtaken is not said any
// more. The server's main owns it; any thread may call on_change.
#pragma once

#include "apps/store.h"

#include "base/crypto.h"
#include "base/fd.h"
#include "base/guarded.h"
#include "base/json.h"
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
    std::string public_url; // of this server, for the links to logs
    // Hosts that may be called although their address is private.
    std::vector<std::string> allowed_private_hosts;
    std::string ca_file;
    // How a build looks to a subscriber: the API's own JSON.
    std::function<base::json::Value(const apps::Build&)> render_build;
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

    // Writes what is to be said about this state of the build. Does not throw: a build never fails
    // for its notices.
    void on_change(const apps::Build& build) noexcept;
    // At the start: the ends of builds that a server which is no more could not write down here.
    void recover();
    // Says what is due until the stop.
    void run(const base::Stop& stop);

  private:
    struct Shared {
        std::set<std::string> busy; // targets that a thread talks to
    };
    enum class Known { no, perhaps }; // perhaps: what stands in the table is not told again
    void tell(const apps::Build& build, Known known) noexcept;
    void add_for_forge(const apps::Build& build, Known known);
    void add_for_subscribers(const apps::Build& build, Known known);
    bool is_told(const std::string& target, const apps::Build& build,
                 const std::function<bool(const apps::Notice&)>& says_so);
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
    void wake() noexcept;

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
