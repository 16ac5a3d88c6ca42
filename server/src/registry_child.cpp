#include "registry_child.h"

#include "tcp.h"

#include "base/error.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/process.h"
#include "base/text.h"

#include <algorithm>
#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

namespace server {
namespace {

using base::Error;
using base::ErrorKind;
using std::chrono::milliseconds;

constexpr auto longest_start = std::chrono::seconds(30);
constexpr auto longest_backoff = milliseconds(30'000);

// "HTTP/1.1 200" or 401: it serves.
bool answers(const Address& address, const base::Stop& stop) {
    try {
        const auto socket = connect_to(address, stop);
        base::write_all(socket.get(), "GET /v2/ HTTP/1.0\r\nHost: registry\r\n\r\n");
        char head[12] = {};
        if (!stop.wait_for(socket.get(), POLLIN)) return false;
        const auto n = base::read_some(socket.get(), head, sizeof head);
        return std::string_view(head, n).starts_with("HTTP/1.") && n == sizeof head;
    } catch (const Error&) {
        return false;
    }
}

std::string last_words(const std::filesystem::path& log) {
    try {
        const auto text = base::trim(base::read_file(log));
        const auto newline = text.rfind('\n');
        return base::printable(newline == std::string::npos ? text : text.substr(newline + 1));
    } catch (const Error&) {
        return {};
    }
}

} // namespace

std::uint16_t free_port(const std::string& host) {
    return listen_on({host, 0}).address.port;
}

RegistryChild::RegistryChild(const StateDirectory& state, Address listen, SystemUser user)
    : directory_(state.registry()), log_(state.logs() / "registry.log"),
      address_(std::move(listen)), user_(std::move(user)) {
    if (base::find_program("docker-registry").empty())
        throw Error(ErrorKind::not_found, "docker-registry is not installed",
                    "Run apt-get install docker-registry, or set registry.url to a registry.");
    if (address_.port == 0) address_.port = free_port(address_.host);
    // Somebody else's registry there would take our images silently.
    listen_on(address_);
    write_configuration();
    group_.start([this](const base::Stop& stop) { supervise(stop); });
    wait_until_ready();
}

void RegistryChild::write_configuration() const {
    // The directory stays ours: in one of its own the child could put a link in our way.
    make_directory(directory_, 0711);
    if (::lchown(directory_.c_str(), ::geteuid(), ::getegid()) != 0)
        base::throw_errno("could not take back " + directory_.string());
    make_directory(directory_ / "data", 0700);
    base::replace_file(directory_ / "config.yml",
                       "version: 0.1\n"
                       "log:\n  level: warn\n  formatter: json\n  accesslog:\n    disabled: true\n"
                       "storage:\n"
                       "  filesystem:\n    rootdirectory: " +
                           (directory_ / "data").string() +
                           "\n"
                           "  delete:\n    enabled: true\n"
                           "  cache:\n    blobdescriptor: inmemory\n"
                           "http:\n  addr: " +
                           address_.render() +
                           "\n"
                           "  secret: " +
                           base::random_hex(16) + "\n",
                       0600);
    if (!run_as(user_)) return;
    for (const auto& path : {directory_ / "data", directory_ / "config.yml"})
        if (::lchown(path.c_str(), user_.uid, user_.gid) != 0)
            base::throw_errno("could not give " + path.string() + " to " + user_.name);
}

void RegistryChild::supervise(const base::Stop& stop) {
    auto backoff = milliseconds(200);
    while (!stop.requested()) {
        const auto started = base::Stop::Clock::now();
        try {
            const auto log = base::open_file(log_, O_WRONLY | O_CREAT | O_TRUNC, 0600);
            base::Command command;
            command.argv = {"docker-registry", "serve", (directory_ / "config.yml").string()};
            command.environment = base::minimal_environment();
            command.descriptors = {{1, log.get()}, {2, log.get()}};
            command.run_as = run_as(user_);
            auto process = base::Process::start(command);
            const auto status = process.wait(stop);
            if (!status) {
                process.terminate(std::chrono::seconds(5));
                return;
            }
            base::log::warning("the registry ended and is started again",
                               {{"status", status->describe()}, {"said", last_words(log_)}});
        } catch (const Error& error) {
            base::log::error("the registry could not be started", {{"reason", error.describe()}});
        }
        if (base::Stop::Clock::now() - started > std::chrono::minutes(1))
            backoff = milliseconds(200);
        stop.wait(backoff);
        backoff = std::min(backoff * 2, milliseconds(longest_backoff));
    }
}

void RegistryChild::wait_until_ready() {
    const auto stop = base::Stop{}.within(longest_start);
    while (!answers(address_, stop.within(std::chrono::seconds(2))))
        if (stop.wait(milliseconds(20)))
            throw Error(ErrorKind::unavailable,
                        "docker-registry does not answer at " + address_.render() + ": " +
                            last_words(log_),
                        "Its log is " + log_.string() + ".");
}

} // namespace server
