// An HTTP/1.1 server: a thread for each connection that is being answered, every read and write
// bounded in time and size (Boost.Beast parses; nothing outside of this module includes it).
// It knows no route and no token. What a stranger can do wrong ends his own connection: slow
// headers, slow bodies, both Content-Length and Transfer-Encoding, oversized headers.
#pragma once

#include "http/forwarded.h"

#include "base/error.h"
#include "base/fd.h"
#include "base/stop.h"

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <sys/types.h>
#include <utility>
#include <vector>

namespace http {

using HeaderList = std::vector<std::pair<std::string, std::string>>;

// What one client sent before its body. A value.
struct RequestHead {
    std::string method;                       // "GET"
    std::string target;                       // as sent: "/v1/apps?page=2"
    std::string path;                         // as sent, without the query: routes decode parts
    std::map<std::string, std::string> query; // decoded; the last of equal names
    std::multimap<std::string, std::string> headers; // names in lower case
    std::optional<std::uint64_t> content_length;
    std::string id; // of this request, ours, for logs and errors
    // Numeric address of the client, also of one behind a trusted proxy; empty on a local socket.
    std::string peer;
    std::optional<uid_t> peer_uid; // of a local socket
    bool tls = false;

    std::optional<std::string> header(std::string_view lower_case_name) const;
};

struct Reply {
    int status = 200;
    HeaderList headers = {};
    std::string body = {};
};

// A client's connection without HTTP: what is left after an answer was started or a websocket
// accepted. Non-blocking; one thread at a time. It counts as a connection of its server until it is
// destroyed, which closes it. Read before the first poll: bytes may have come with the request.
class Connection {
  public:
    virtual ~Connection() = default;
    virtual int fd() const noexcept = 0;
    // How many bytes went; 0: it would block (poll for `wants()`), empty: the peer is gone.
    virtual std::optional<std::size_t> try_write(std::string_view bytes) noexcept = 0;
    virtual std::optional<std::size_t> try_read(char* buffer, std::size_t size) noexcept = 0;
    // POLLIN or POLLOUT after a call that would block (TLS may want the other one).
    virtual short wants() const noexcept = 0;
    // Nothing more will be written; the client may still be read. Who closes with bytes of the
    // client unread may take from it what it was sent last.
    virtual void shut_down() noexcept {}
};

// One request being answered, owned by the thread that runs the handler. A body that was not read
// is drained or the connection closed, as is cheaper. Throws base::Error: unavailable when the
// client left, timed_out when it was too slow, limit_exceeded for a body over the limit.
class Exchange {
  public:
    virtual ~Exchange() = default;

    virtual const RequestHead& head() const = 0;
    // Of the route's pattern: {app}. Percent-decoded; never empty.
    const std::string& parameter(std::string_view name) const;

    // Pulls the body; 0 at its end. Answers "Expect: 100-continue" at the first call.
    virtual std::size_t read_body(char* buffer, std::size_t size) = 0;
    std::string read_whole_body(std::size_t limit); // Error{limit_exceeded} past it

    // The whole answer at once. HEAD gets no body.
    virtual void send(const Reply& reply) = 0;
    // An answer whose length is not known: chunked, or up to the close for HTTP/1.0. Say
    // {"Connection", "close"} before take(): no next request is answered then.
    virtual void start(int status, const HeaderList& headers) = 0;
    virtual void write(std::string_view bytes) = 0;
    virtual void finish() = 0;
    virtual bool is_started() const = 0;

    // After start(): the connection itself, for one thread that serves many (the log hub). What it
    // writes must be framed as `framing()` says. The exchange is over then. Empty for HEAD, which
    // wants no body.
    enum class Framing { chunked, plain };
    virtual Framing framing() const = 0;
    virtual std::unique_ptr<Connection> take() = 0;

    // RFC 6455. Empty when the request asked for none (nothing was sent then). What the client asks
    // for wrongly is thrown and answered 400 or 426.
    virtual std::unique_ptr<Connection> accept_websocket() = 0;

    virtual bool peer_left() const = 0;
    virtual int fd() const = 0; // to poll for POLLRDHUP beside something else

    std::map<std::string, std::string> parameters; // the router's
};

// One chunk of RFC 9112 7.1; the last one for an empty text.
std::string render_chunk(std::string_view bytes);
// One unmasked frame of a server: text, close (a 2-byte code first), ping, pong.
enum class WebSocketOpcode { text = 1, binary = 2, close = 8, ping = 9, pong = 10 };
std::string render_frame(WebSocketOpcode opcode, std::string_view payload);
struct WebSocketFrame {
    WebSocketOpcode opcode = WebSocketOpcode::text;
    std::string payload; // unmasked; fragments put together
};
// Takes one whole message of a client off the front of `bytes`, or a control frame from between its
// fragments; empty: more is needed. Whether a text is UTF-8 is not looked at. Throws
// Error{invalid_input} for what no client may send, Error{limit_exceeded} past `longest`.
std::optional<WebSocketFrame> take_frame(std::string& bytes, std::size_t longest);

struct ServerLimits {
    std::size_t header_bytes = 16u << 10;
    std::size_t connections = 2000;
    std::size_t connections_of_one_address = 500; // of one /64 for IPv6; local sockets are free
    std::chrono::milliseconds header_time{10000}; // for a request's whole head, TLS included
    std::chrono::milliseconds idle_time{15000};   // between requests of one connection
    // What was waited for a client's bytes, or for it to take ours, is added up; each time that
    // it makes this much, at least stall_time * least_body_rate bytes must have gone.
    std::chrono::milliseconds stall_time{30000};
    std::uint64_t least_body_rate = 1024; // bytes a second
};

struct ServerTls {
    std::string certificate_file; // PEM, with its chain; both are read again when they change
    std::string key_file;
};

// Any thread. What it throws is answered by `Server::on_error`.
using Handler = std::function<void(Exchange& exchange, const base::Stop& stop)>;

class Server {
  public:
    struct Settings {
        ServerLimits limits;
        std::optional<ServerTls> tls;
        // Their word on who the client is counts; they may have any number of connections.
        TrustedProxies proxies = {};
        Handler handler;
        // The answer for what the handler threw and for what was no request; must not throw. For
        // the latter, and for a body that came too slowly, the server sets the status.
        std::function<Reply(const base::Error& error, const RequestHead& head)> on_error;
        // After each answer: for metrics and the access log. 499: the client left before it.
        std::function<void(const RequestHead& head, int status, std::chrono::microseconds time)>
            on_answer = {};
    };
    // The listener is a bound and listening TCP or local socket. Throws what reading the
    // certificate and its key throws.
    Server(base::UniqueFd listener, Settings settings);
    ~Server();

    // Accepts until `stop`; then lets answers end until `end`, and closes the rest. Running out of
    // descriptors is waited out. One thread calls it.
    void run(const base::Stop& stop, const base::Stop& end);
    std::size_t connections() const noexcept;

  private:
    struct State;
    std::unique_ptr<State> state_;
};

} // namespace http
