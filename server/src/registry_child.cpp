#include "registry_child.h"

#include "registry_tokens.h"
#include "tcp.h"

#include "base/error.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/process.h"
#include "base/text.h"

#include <algorithm>
#include <fcntl.h>
#include <poll.h>
#include <sys/eventfd.h>
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
constexpr auto between_looks_at_tls = std::chrono::minutes(1);
// It ends the requests that it has begun, and takes no more.
constexpr auto longest_drain = std::chrono::seconds(4);
constexpr auto longest_end = longest_drain + std::chrono::seconds(1);

// "HTTP/1.1 401", or 400 of one that wants TLS: it serves.
bool answers(Address address, const base::Stop& stop) {
    if (address.host == "0.0.0.0") address.host = "127.0.0.1";
    if (address.host == "::") address.host = "::1";
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

// YAML: in quotes nothing is special but these two.
std::string yaml(const std::string& text) {
    std::string quoted = "\"";
    for (const char c : text) {
        if (c == '"' || c == '\\') quoted += '\\';
        quoted += c;
    }
    return quoted + "\"";
}

} // namespace

std::filesystem::path registry_data(const StateDirectory& state) {
    return state.registry() / "data";
}

std::uint16_t free_port(const std::string& host) {
    return listen_on({host, 0}).address.port;
}

RegistryChild::RegistryChild(const StateDirectory& state, RegistrySettings settings)
    : directory_(state.registry()), data_(registry_data(state)),
      log_(state.logs() / (settings.name + ".log")), settings_(std::move(settings)),
      changed_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
    if (base::find_program("docker-registry").empty())
        throw Error(ErrorKind::not_found, "docker-registry is not installed",
                    "Run apt-get install docker-registry, or set registry.url to a registry.");
    if (!changed_) base::throw_errno("could not make an eventfd");
    auto& listen = settings_.listen;
    if (listen.port == 0) listen.port = free_port(listen.host);
    // Somebody else's registry there would take our images silently.
    listen_on(listen);
    // The directory stays ours: in one of its own the child could put a link in our way.
    make_directory(directory_, 0711);
    if (::lchown(directory_.c_str(), ::geteuid(), ::getegid()) != 0)
        base::throw_errno("could not take back " + directory_.string());
    make_directory(data_, 0700);
    hand_over(data_);
    base::replace_file(file("tokens.pem"), settings_.token_certificate, 0600);
    hand_over(file("tokens.pem"));
    group_.start([this](const base::Stop& stop) { supervise(stop); });
    wait_until_ready({});
}

std::filesystem::path RegistryChild::file(const std::string& ending) const {
    return directory_ / (settings_.name + "-" + ending);
}

void RegistryChild::hand_over(const std::filesystem::path& path) const {
    if (!run_as(settings_.user)) return;
    if (::lchown(path.c_str(), settings_.user.uid, settings_.user.gid) != 0)
        base::throw_errno("could not give " + path.string() + " to " + settings_.user.name);
}

void RegistryChild::write_configuration(bool read_only) const {
    std::string text = "version: 0.1\n"
                       "log:\n  level: warn\n  formatter: json\n  accesslog:\n    disabled: true\n"
                       "storage:\n"
                       "  filesystem:\n    rootdirectory: " +
                       yaml(data_.string()) +
                       "\n"
                       // Without its cache of blobs: it would still answer for the repository of an
                       // app that is gone, and its next owner's image would lack what was not sent.
                       "  delete:\n    enabled: true\n";
    if (read_only) text += "  maintenance:\n    readonly:\n      enabled: true\n";
    text += "auth:\n  token:\n    realm: " + yaml(settings_.realm) +
            "\n    service: " + yaml(std::string(RegistryTokens::service)) +
            "\n    issuer: " + yaml(std::string(RegistryTokens::issuer)) +
            "\n    rootcertbundle: " + yaml(file("tokens.pem").string()) +
            "\n"
            "http:\n  addr: " +
            yaml(settings_.listen.render()) +
            // A proxy before it may have another name and another scheme.
            "\n  relativeurls: true\n  secret: " + yaml(settings_.secret) +
            "\n  draintimeout: " + std::to_string(longest_drain.count()) + "s\n";
    if (settings_.tls)
        text += "  tls:\n    certificate: " + yaml(file("certificate.pem").string()) +
                "\n    key: " + yaml(file("key.pem").string()) + "\n    minimumtls: tls1.2\n";
    base::replace_file(file("config.yml"), text, 0600);
    hand_over(file("config.yml"));
}

// Copies: the key is usually root's alone.
void RegistryChild::write_tls() const {
    if (!settings_.tls) return;
    for (const auto& [from, to] : {std::pair(settings_.tls->certificate_file, "certificate.pem"),
                                   std::pair(settings_.tls->key_file, "key.pem")}) {
        base::replace_file(file(to), base::read_file(from), 0600);
        hand_over(file(to));
    }
}

std::filesystem::file_time_type RegistryChild::age_of_tls() const {
    if (!settings_.tls) return {};
    std::error_code gone; // for the moment in which it is replaced
    return std::max(std::filesystem::last_write_time(settings_.tls->certificate_file, gone),
                    std::filesystem::last_write_time(settings_.tls->key_file, gone));
}

void RegistryChild::supervise(const base::Stop& stop) {
    auto backoff = milliseconds(200);
    while (!stop.requested()) {
        const auto started = base::Stop::Clock::now();
        try {
            if (run_once(stop)) continue;
        } catch (const std::exception& error) {
            base::log::error("the registry could not be started", {{"reason", error.what()}});
        }
        if (stop.requested()) return;
        if (base::Stop::Clock::now() - started > std::chrono::minutes(1))
            backoff = milliseconds(200);
        stop.wait(backoff);
        backoff = std::min(backoff * 2, milliseconds(longest_backoff));
    }
}

// True when it was we who ended it.
bool RegistryChild::run_once(const base::Stop& stop) {
    std::uint64_t count = 0;
    [[maybe_unused]] const auto read = ::read(changed_.get(), &count, sizeof count);
    const Mode mode = *mode_.lock();
    const auto tls = age_of_tls();
    write_tls();
    write_configuration(mode.read_only);
    const auto log = base::open_file(log_, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    base::Command command;
    command.argv = {"docker-registry", "serve", file("config.yml").string()};
    command.environment = base::minimal_environment();
    command.descriptors = {{1, log.get()}, {2, log.get()}};
    command.run_as = run_as(settings_.user);
    auto process = base::Process::start(command);
    mode_.lock()->started = mode.wanted;
    while (true) {
        pollfd fds[] = {
            {process.fd(), POLLIN, 0}, {stop.fd(), POLLIN, 0}, {changed_.get(), POLLIN, 0}};
        ::poll(fds, 3, static_cast<int>(milliseconds(between_looks_at_tls).count()));
        if (stop.requested() || fds[2].revents != 0 || age_of_tls() != tls) {
            process.terminate(longest_end);
            return true;
        }
        if (fds[0].revents == 0) continue;
        base::log::warning("the registry ended and is started again",
                           {{"status", process.wait()->describe()}, {"said", last_words(log_)}});
        return false;
    }
}

void RegistryChild::set_read_only(bool read_only, const base::Stop& stop) {
    {
        auto mode = mode_.lock();
        mode->read_only = read_only;
        ++mode->wanted;
    }
    const std::uint64_t one = 1;
    [[maybe_unused]] const auto written = ::write(changed_.get(), &one, sizeof one);
    wait_until_ready(stop);
}

void RegistryChild::sweep(const base::Stop& stop) const {
    base::Command command;
    command.argv = {"docker-registry", "garbage-collect", file("config.yml").string()};
    command.environment = base::minimal_environment();
    command.run_as = run_as(settings_.user);
    const auto done = base::run(command, stop);
    if (!done.status.ok())
        throw Error(ErrorKind::unavailable,
                    "docker-registry could not collect its garbage: " + done.status.describe() +
                        ": " + base::printable(base::trim(done.error)));
}

void RegistryChild::wait_until_ready(const base::Stop& stop) {
    const auto end = stop.within(longest_start);
    const auto is_up = [&] {
        const Mode mode = *mode_.lock();
        return mode.started == mode.wanted &&
               answers(settings_.listen, end.within(std::chrono::seconds(2)));
    };
    while (!is_up())
        if (end.wait(milliseconds(20)))
            throw Error(ErrorKind::unavailable,
                        "docker-registry does not answer at " + settings_.listen.render() + ": " +
                            last_words(log_),
                        "Its log is " + log_.string() + ".");
}

} // namespace server
