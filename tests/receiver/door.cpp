// A small daemon for the tests and the benchmarks of the SSH door: accepts TCP connections, runs
// slipway-ssh for each, and answers door.* from a directory. It builds nothing.
//
//   test-door STATE [--run-as UID] [--login-timeout S]
//
// STATE/keys        "FINGERPRINT USER APP|*" a line, read for each question
// STATE/host_*      private host keys
// STATE/apps/X.git  the repository of app X
// STATE/apps/X.lines   lines shown to the pusher
// STATE/apps/X.hold    a FIFO: the push waits until somebody has written to it
// STATE/apps/X.refuse  the push is refused after the lines
// STATE/apps/X.vanish  the daemon closes the connection without an answer
// STATE/port        written once it listens
#include "base/error.h"
#include "base/fd.h"
#include "base/process.h"
#include "base/task_group.h"
#include "base/text.h"
#include "receiver/app_name.h"
#include "receiver/git_policy.h"
#include "wire/server.h"

#include <nlohmann/json.hpp>

#include <csignal>
#include <cstdio>
#include <fcntl.h>
#include <fstream>
#include <netinet/in.h>
#include <poll.h>
#include <sstream>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

namespace {

namespace fs = std::filesystem;
using base::Error;
using base::ErrorKind;
using base::json::Value;

struct Setup {
    fs::path state;
    fs::path program;
    std::string login_timeout = "10";
    std::optional<std::pair<uid_t, gid_t>> run_as;
    std::uint16_t port = 0;
};

base::StopSource& stopping() {
    static base::StopSource source;
    return source;
}

struct Key {
    std::string user;
    std::string apps;
};

std::optional<Key> find_key(const Setup& setup, const std::string& fingerprint) {
    std::ifstream keys(setup.state / "keys");
    std::string known;
    Key key;
    while (keys >> known >> key.user >> key.apps)
        if (known == fingerprint) return key;
    return std::nullopt;
}

Value open_app(const Setup& setup, const Value& request) {
    const auto app = base::json::get_string(request, "app");
    const auto key = find_key(setup, base::json::get_string(request, "fingerprint"));
    const auto repository = setup.state / "apps" / (app + ".git");
    const bool allowed = key && (key->apps == "*" || key->apps == app);
    if (!receiver::is_app_name(app) || !allowed || !fs::exists(repository))
        throw Error(ErrorKind::not_found, "no app");
    return {{"repository", repository.string()}, {"push", app}};
}

void show_file(wire::Exchange& exchange, const fs::path& path) {
    std::ifstream lines(path);
    for (std::string line; std::getline(lines, line);) exchange.send_event({{"line", line}});
}

Value judge_push(const Setup& setup, wire::Exchange& exchange, const Value& request) {
    const auto app = setup.state / "apps" / base::json::get_string(request, "push");
    const auto with = [&](const char* suffix) { return fs::path(app.string() + suffix); };
    std::vector<receiver::RefUpdate> updates;
    for (const auto& update : request.at("updates"))
        updates.push_back({base::json::get_string(update, "old"),
                           base::json::get_string(update, "new"),
                           base::json::get_string(update, "ref")});
    const auto decision = receiver::decide_push(updates);
    if (const auto* refuse = std::get_if<receiver::Refuse>(&decision)) {
        for (const auto& line : refuse->lines) exchange.send_event({{"line", line}});
        throw Error(ErrorKind::denied, "refused by the policy");
    }
    struct stat quarantine {};
    ::stat(base::json::get_string(request, "quarantine").c_str(), &quarantine);
    char mode[64];
    std::snprintf(mode, sizeof mode, "-----> Received (quarantine %o)", quarantine.st_mode & 0777);
    exchange.send_event({{"line", mode}});
    show_file(exchange, with(".lines"));
    if (fs::exists(with(".hold"))) {
        base::UniqueFd fifo(::open(with(".hold").c_str(), O_RDONLY | O_CLOEXEC));
        base::read_to_end(fifo.get(), 4096);
    }
    if (fs::exists(with(".refuse"))) throw Error(ErrorKind::buildpack_failed, "the build failed");
    if (fs::exists(with(".vanish"))) throw std::runtime_error("as asked");
    return {{"build", "b1"}, {"digest", "sha256:" + std::string(64, 'a')}};
}

void answer(const Setup& setup, wire::Exchange& exchange, const base::Stop& stop) {
    try {
        const auto request = exchange.read_request(stop);
        const auto verb = base::json::get_string(request, "verb");
        if (verb == "door.identify") {
            const auto key = find_key(setup, base::json::get_string(request, "fingerprint"));
            if (!key) throw Error(ErrorKind::denied, "unknown key");
            exchange.send_result({{"user", key->user}});
        } else if (verb == "door.open") {
            exchange.send_result(open_app(setup, request));
        } else if (verb == "door.push") {
            exchange.send_result(judge_push(setup, exchange, request));
        } else {
            throw Error(ErrorKind::invalid_input, "unknown verb");
        }
    } catch (const Error& error) {
        try {
            exchange.send_error(error);
        } catch (const Error&) {
            // The asker left first.
        }
    } catch (const std::runtime_error&) {
        // .vanish: the connection just ends.
    }
}

void run_door(const Setup& setup, base::UniqueFd socket, const base::Stop& stop) {
    base::Command command;
    command.argv = {setup.program.string(),
                    "--socket-fd",
                    "3",
                    "--door",
                    (setup.state / "door.sock").string(),
                    "--login-timeout",
                    setup.login_timeout,
                    "--address",
                    "ssh://git@127.0.0.1:" + std::to_string(setup.port)};
    command.environment = {std::string("PATH=") + ::getenv("PATH")};
    command.descriptors = {{2, 2}, {3, socket.get()}};
    std::vector<base::UniqueFd> keys;
    for (const char* name : {"host_ed25519", "host_rsa"}) {
        if (!fs::exists(setup.state / name)) continue;
        keys.push_back(base::open_file(setup.state / name, O_RDONLY));
        const int number = 3 + static_cast<int>(keys.size());
        command.descriptors[number] = keys.back().get();
        command.argv.push_back("--host-key-fd");
        command.argv.push_back(std::to_string(number));
    }
    command.run_as = setup.run_as;
    auto process = base::Process::start(command);
    socket.reset();
    process.wait(stop);
}

base::UniqueFd listen_tcp(Setup& setup) {
    base::UniqueFd fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    if (::bind(fd.get(), reinterpret_cast<sockaddr*>(&address), size) != 0 ||
        ::listen(fd.get(), 64) != 0 ||
        ::getsockname(fd.get(), reinterpret_cast<sockaddr*>(&address), &size) != 0)
        base::throw_errno("could not listen");
    setup.port = ntohs(address.sin_port);
    return fd;
}

Setup parse(int argc, char** argv) {
    Setup setup;
    if (argc < 2) throw Error(ErrorKind::invalid_input, "test-door STATE [options]");
    setup.state = fs::absolute(argv[1]);
    setup.program = fs::read_symlink("/proc/self/exe").parent_path() / "slipway-ssh";
    for (int i = 2; i + 1 < argc; i += 2) {
        const std::string_view name = argv[i];
        if (name == "--login-timeout") setup.login_timeout = argv[i + 1];
        if (name == "--run-as") {
            const auto id = static_cast<uid_t>(std::stoul(argv[i + 1]));
            setup.run_as = {id, id};
        }
    }
    return setup;
}

void serve(Setup setup) {
    const auto door =
        wire::listen_at(setup.state / "door.sock", 0660,
                        setup.run_as ? std::optional(setup.run_as->second) : std::nullopt);
    const auto tcp = listen_tcp(setup);
    base::TaskGroup tasks;
    tasks.start([&](const base::Stop& stop) {
        while (auto fd = wire::accept_from(door.get(), stop))
            tasks.start([&setup, connection = std::make_shared<wire::Exchange>(std::move(fd))](
                            const base::Stop& inner) { answer(setup, *connection, inner); });
    });
    tasks.start([&](const base::Stop& stop) {
        while (auto fd = wire::accept_from(tcp.get(), stop))
            tasks.start(
                [&setup, socket = std::make_shared<base::UniqueFd>(std::move(fd))](
                    const base::Stop& inner) { run_door(setup, std::move(*socket), inner); });
    });
    base::replace_file(setup.state / "port", std::to_string(setup.port) + "\n");
    stopping().stop().wait(std::chrono::hours(24));
    tasks.request_stop();
}

} // namespace

int main(int argc, char** argv) {
    std::signal(SIGPIPE, SIG_IGN);
    stopping();
    std::signal(SIGTERM, [](int) { stopping().request(); });
    try {
        serve(parse(argc, argv));
        return 0;
    } catch (const std::exception& error) {
        std::fprintf(stderr, "test-door: %s\n", error.what());
        return 1;
    }
}
