#include "ssh/conversation.h"

#include "base/error.h"
#include "base/json.h"
#include "base/text.h"
#include "wire/client.h"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <poll.h>

namespace receiver {
namespace {

using base::Error;
using base::ErrorKind;
using base::json::Value;
using Verb = SshCommand::Verb;

constexpr std::chrono::seconds daemon_timeout{30};
constexpr std::chrono::seconds slow_reader{900}; // who takes nothing for so long has gone
constexpr std::size_t piece_bytes = 32 * 1024;

// Thrown through the conversation when nobody listens any more.
struct ClientLeft {};

class ClientScreen {
  public:
    ClientScreen(Front& front, const base::Stop& stop) : front_(front), stop_(stop) {}

    void line(std::string text) { write(std::move(text) + "\n", false); }
    void problem(std::string text) { write(std::move(text) + "\n", true); }
    void text(std::string_view text) { write(text, false); }

    // Lets libssh read what came: a goodbye, a key renewal, room in the window.
    void look() {
        if (ssh_event_dopoll(front_.event(), 0) == SSH_ERROR ||
            (ssh_get_status(front_.session()) & (SSH_CLOSED | SSH_CLOSED_ERROR)) != 0 ||
            !ssh_channel_is_open(front_.channel()))
            throw ClientLeft{};
    }

  private:
    void write(std::string_view bytes, bool as_error) {
        while (!bytes.empty()) {
            await_room();
            const auto size = std::min<std::size_t>(
                {bytes.size(), piece_bytes, ssh_channel_window_size(front_.channel())});
            const auto count = static_cast<std::uint32_t>(size);
            const int sent = as_error
                                 ? ssh_channel_write_stderr(front_.channel(), bytes.data(), count)
                                 : ssh_channel_write(front_.channel(), bytes.data(), count);
            if (sent < 0 || static_cast<std::size_t>(sent) != size) throw ClientLeft{};
            bytes.remove_prefix(size);
        }
    }

    void await_room() {
        const auto patience = stop_.within(slow_reader);
        look();
        for (;;) {
            const bool writing = ssh_get_poll_flags(front_.session()) & SSH_WRITE_PENDING;
            if (!writing && ssh_channel_window_size(front_.channel()) > 0) return;
            if (!patience.wait_for(ssh_get_fd(front_.session()),
                                   static_cast<short>(writing ? POLLIN | POLLOUT : POLLIN)))
                throw ClientLeft{};
            look();
        }
    }

    Front& front_;
    const base::Stop& stop_;
};

// The daemon answers each call within seconds, with what is new or with nothing: between two of
// them the client is looked after, so that one who leaves is noticed.
int follow(ClientScreen& screen, const Door& door, Value request, const base::Stop& stop) {
    for (;;) {
        screen.look();
        const auto answer = wire::call(
            door.socket(), request,
            [&](const Value& event) { screen.text(base::json::get_string(event, "text")); },
            stop.within(daemon_timeout));
        request["offset"] = base::json::get_integer(answer, "offset");
        if (base::json::find_bool(answer, "over", false))
            return static_cast<int>(base::json::get_integer(answer, "exit_code"));
    }
}

int ask(ClientScreen& screen, const Door& door, const Value& request, const base::Stop& stop) {
    const auto answer = wire::call(
        door.socket(), request,
        [&](const Value& event) { screen.line(base::json::get_string(event, "line")); },
        stop.within(daemon_timeout));
    return static_cast<int>(base::json::find_integer(answer, "exit_code").value_or(0));
}

} // namespace

int run_ssh_command(Front& front, const Door& door, const SshCommand& command,
                    const base::Stop& stop) {
    ClientScreen screen(front, stop);
    try {
        if (command.verb == Verb::help) {
            for (const auto& line : ssh_help()) screen.line(line);
            return 0;
        }
        Value request{{"verb", verb_name(command.verb)},
                      {"fingerprint", front.identity().fingerprint},
                      {"subject", command.subject}};
        if (command.verb != Verb::follow) return ask(screen, door, request, stop);
        request["offset"] = command.offset;
        return follow(screen, door, std::move(request), stop);
    } catch (const ClientLeft&) {
        return 1;
    } catch (const Error& error) {
        try {
            screen.problem(" !     " + base::printable(error.message()));
            if (!error.hint().empty()) screen.problem("       " + base::printable(error.hint()));
        } catch (const ClientLeft&) {
        }
        return exit_code_of(error.kind());
    }
}

} // namespace receiver
