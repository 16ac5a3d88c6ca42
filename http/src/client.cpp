#include "http/client.h"

#include "base/error.h"
#include "base/guarded.h"
#include "base/text.h"

#include <algorithm>
#include <arpa/inet.h>
#include <curl/curl.h>
#include <deque>
#include <exception>
#include <poll.h>
#include <sys/socket.h>

namespace http {
namespace {

constexpr std::size_t longest_headers = 256u << 10;
constexpr std::size_t most_idle = 8;

// One transfer at a time, with a connection cache of its own (that of the multi handle).
struct Slot {
    std::unique_ptr<CURLM, decltype(&curl_multi_cleanup)> multi{curl_multi_init(),
                                                                curl_multi_cleanup};
    std::unique_ptr<CURL, decltype(&curl_easy_cleanup)> easy{curl_easy_init(), curl_easy_cleanup};
    std::string origin; // of its last transfer
};

using List = std::unique_ptr<curl_slist, decltype(&curl_slist_free_all)>;

// What libcurl's callbacks see. No exception may cross its C: they are kept here.
struct Transfer {
    const Request& request;
    const ClientOptions& options;
    Response response;
    std::size_t header_bytes = 0;
    std::uint64_t sent = 0;
    bool enough = false; // an error page longer than anybody wants to read
    std::exception_ptr failure;

    template <class F>
    std::size_t guarded(std::size_t on_failure, F&& work) noexcept {
        try {
            return work();
        } catch (...) {
            if (!failure) failure = std::current_exception();
            return on_failure;
        }
    }
};

std::size_t on_header(char* bytes, std::size_t, std::size_t size, void* self) {
    auto& transfer = *static_cast<Transfer*>(self);
    return transfer.guarded(0, [&] {
        const std::string_view line(bytes, size);
        auto& response = transfer.response;
        if (line.starts_with("HTTP/")) { // after a 100 Continue there is a second block
            response.headers.clear();
            transfer.header_bytes = 0;
            const auto space = line.find(' ');
            response.status =
                space == line.npos ? 0 : std::atoi(std::string(line.substr(space + 1, 3)).c_str());
            return size;
        }
        if (line == "\r\n" && response.status >= 200 && transfer.request.on_status)
            transfer.request.on_status(response.status);
        transfer.header_bytes += size;
        if (transfer.header_bytes > longest_headers)
            throw base::Error(base::ErrorKind::limit_exceeded,
                              "the server's answer has more than 256 KiB of headers");
        const auto colon = line.find(':');
        if (colon == line.npos) return size;
        std::string name(line.substr(0, colon));
        std::transform(name.begin(), name.end(), name.begin(),
                       [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
        response.headers.emplace(std::move(name), base::trim(line.substr(colon + 1)));
        return size;
    });
}

std::size_t on_body(char* bytes, std::size_t, std::size_t size, void* self) {
    auto& transfer = *static_cast<Transfer*>(self);
    return transfer.guarded(0, [&]() -> std::size_t {
        auto& response = transfer.response;
        const bool good = response.status / 100 == 2;
        if (good && transfer.request.sink) {
            transfer.request.sink({bytes, size});
            return size;
        }
        const auto room = transfer.request.longest_body - response.body.size();
        if (size > room) {
            if (good)
                throw base::Error(base::ErrorKind::limit_exceeded,
                                  "the server's answer is longer than " +
                                      base::human_bytes(transfer.request.longest_body));
            response.body.append(bytes, room);
            transfer.enough = true;
            return 0;
        }
        response.body.append(bytes, size);
        return size;
    });
}

std::size_t on_send(char* buffer, std::size_t, std::size_t size, void* self) {
    auto& transfer = *static_cast<Transfer*>(self);
    return transfer.guarded(CURL_READFUNC_ABORT, [&]() -> std::size_t {
        const auto left = transfer.request.body_size - transfer.sent;
        const auto wanted = static_cast<std::size_t>(std::min<std::uint64_t>(left, size));
        if (wanted == 0) return 0;
        const auto n = transfer.request.body_source(buffer, wanted);
        if (n == 0) // the server would wait for the rest for ever
            throw base::Error(base::ErrorKind::internal,
                              "a request's body is shorter than it was announced");
        transfer.sent += n;
        return n;
    });
}

int on_seek(void* self, curl_off_t offset, int origin) {
    auto& transfer = *static_cast<Transfer*>(self);
    if (offset != 0 || origin != SEEK_SET || !transfer.request.body_rewind)
        return CURL_SEEKFUNC_CANTSEEK;
    const auto done = transfer.guarded(0, [&]() -> std::size_t {
        transfer.request.body_rewind();
        transfer.sent = 0;
        return 1;
    });
    return done == 1 ? CURL_SEEKFUNC_OK : CURL_SEEKFUNC_FAIL;
}

std::string numeric_address(const curl_sockaddr& peer) {
    char text[INET6_ADDRSTRLEN] = "";
    const auto* address = &peer.addr;
    if (peer.family == AF_INET)
        ::inet_ntop(AF_INET, &reinterpret_cast<const sockaddr_in*>(address)->sin_addr, text,
                    sizeof text);
    if (peer.family == AF_INET6)
        ::inet_ntop(AF_INET6, &reinterpret_cast<const sockaddr_in6*>(address)->sin6_addr, text,
                    sizeof text);
    return text;
}

curl_socket_t on_connect(void* self, curlsocktype, curl_sockaddr* peer) {
    auto& transfer = *static_cast<Transfer*>(self);
    const auto allowed = transfer.guarded(0, [&]() -> std::size_t {
        const auto address = numeric_address(*peer);
        if (transfer.options.allow_address(address)) return 1;
        throw base::Error(base::ErrorKind::denied, "the host of " +
                                                       parse_url(transfer.request.url).origin() +
                                                       " is at an address that is not public");
    });
    if (allowed == 0) return CURL_SOCKET_BAD;
    return ::socket(peer->family, peer->socktype | SOCK_CLOEXEC, peer->protocol);
}

bool names(std::string_view header, std::string_view name) {
    return header.size() > name.size() && header[name.size()] == ':' &&
           std::equal(name.begin(), name.end(), header.begin(),
                      [](char a, char b) { return a == (b >= 'A' && b <= 'Z' ? b + 32 : b); });
}

List headers_of(const Request& request) {
    List list(nullptr, curl_slist_free_all);
    const auto add = [&](const std::string& line) {
        curl_slist* longer = curl_slist_append(list.get(), line.c_str());
        if (!longer) throw std::bad_alloc();
        list.release();
        list.reset(longer);
    };
    bool has_type = false;
    for (const auto& header : request.headers) {
        if (header.find_first_of(std::string_view("\r\n\0", 3)) != header.npos)
            throw base::Error(base::ErrorKind::invalid_input,
                              "a request's header has a line break in it");
        has_type = has_type || names(header, "content-type");
        add(header);
    }
    add("Expect:"); // a round trip for nothing
    if (!has_type) add("Content-Type:");
    return list;
}

void set_up_body(CURL* easy, Transfer& transfer) {
    const Request& request = transfer.request;
    if (request.method == "HEAD") {
        curl_easy_setopt(easy, CURLOPT_NOBODY, 1L);
        return;
    }
    if (request.body_source) {
        curl_easy_setopt(easy, CURLOPT_UPLOAD, 1L);
        curl_easy_setopt(easy, CURLOPT_INFILESIZE_LARGE,
                         static_cast<curl_off_t>(request.body_size));
        curl_easy_setopt(easy, CURLOPT_READFUNCTION, on_send);
        curl_easy_setopt(easy, CURLOPT_READDATA, &transfer);
        curl_easy_setopt(easy, CURLOPT_SEEKFUNCTION, on_seek);
        curl_easy_setopt(easy, CURLOPT_SEEKDATA, &transfer);
        curl_easy_setopt(easy, CURLOPT_UPLOAD_BUFFERSIZE, 512L << 10);
    } else if (request.method != "GET" || !request.body.empty()) {
        curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE,
                         static_cast<curl_off_t>(request.body.size()));
        curl_easy_setopt(easy, CURLOPT_POSTFIELDS, request.body.data());
    }
    curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, request.method.c_str());
}

void set_up(CURL* easy, const ClientOptions& options, const Url& url, Transfer& transfer,
            const List& headers, char* error) {
    curl_easy_reset(easy);
    curl_easy_setopt(easy, CURLOPT_URL, transfer.request.url.c_str());
    curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(easy, CURLOPT_DISALLOW_USERNAME_IN_URL, 1L);
    curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 0L);
    curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(easy, CURLOPT_TCP_NODELAY, 1L);
    curl_easy_setopt(easy, CURLOPT_TCP_KEEPALIVE, 1L);
    curl_easy_setopt(easy, CURLOPT_BUFFERSIZE, 256L << 10);
    curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, error);
    curl_easy_setopt(easy, CURLOPT_USERAGENT, options.user_agent.c_str());
    curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT,
                     static_cast<long>(options.connect_timeout.count()));
    curl_easy_setopt(easy, CURLOPT_LOW_SPEED_LIMIT, 1L);
    curl_easy_setopt(easy, CURLOPT_LOW_SPEED_TIME,
                     static_cast<long>(options.stall_timeout.count()));
    if (!options.ca_file.empty()) {
        // The system's authorities stay through their directory of hashed names.
        const char* system = curl_version_info(CURLVERSION_NOW)->capath;
        curl_easy_setopt(easy, CURLOPT_CAINFO, options.ca_file.c_str());
        curl_easy_setopt(easy, CURLOPT_CAPATH, system ? system : "/etc/ssl/certs");
    }
    if (url.is_loopback()) curl_easy_setopt(easy, CURLOPT_PROXY, ""); // never through a proxy
    if (!options.unix_socket.empty())
        curl_easy_setopt(easy, CURLOPT_UNIX_SOCKET_PATH, options.unix_socket.c_str());
    if (options.allow_address) {
        curl_easy_setopt(easy, CURLOPT_OPENSOCKETFUNCTION, on_connect);
        curl_easy_setopt(easy, CURLOPT_OPENSOCKETDATA, &transfer);
        curl_easy_setopt(easy, CURLOPT_PROXY, ""); // it would be asked about the proxy's address
    }
    curl_easy_setopt(easy, CURLOPT_HTTPHEADER, headers.get());
    curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, on_header);
    curl_easy_setopt(easy, CURLOPT_HEADERDATA, &transfer);
    curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_body);
    curl_easy_setopt(easy, CURLOPT_WRITEDATA, &transfer);
    set_up_body(easy, transfer);
}

// The transfer's result; empty when the stop came first.
std::optional<CURLcode> drive(Slot& slot, const base::Stop& stop) {
    while (true) {
        if (stop.requested() || stop.expired()) return std::nullopt;
        int running = 0;
        if (curl_multi_perform(slot.multi.get(), &running) != CURLM_OK)
            throw base::Error(base::ErrorKind::internal, "the HTTP client failed");
        int left = 0;
        while (const CURLMsg* message = curl_multi_info_read(slot.multi.get(), &left))
            if (message->msg == CURLMSG_DONE) return message->data.result;
        curl_waitfd extra{stop.fd(), CURL_WAIT_POLLIN, 0};
        const int limit = stop.poll_timeout();
        const int timeout = limit < 0 ? 1000 : std::min(limit, 1000); // libcurl's own timers
        curl_multi_poll(slot.multi.get(), &extra, stop.fd() >= 0 ? 1 : 0, timeout, nullptr);
    }
}

[[noreturn]] void fail(CURLcode result, const Url& url, const char* detail) {
    const std::string where = url.origin();
    const std::string why = base::printable(*detail ? detail : curl_easy_strerror(result));
    switch (result) {
    case CURLE_OPERATION_TIMEDOUT:
        throw base::Error(base::ErrorKind::timed_out, where + " did not answer in time: " + why);
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CACERT_BADFILE:
        throw base::Error(base::ErrorKind::denied,
                          "the certificate of " + where + " is not trusted: " + why,
                          "Name the certificate authority's PEM file in the configuration.");
    default:
        throw base::Error(base::ErrorKind::unavailable, "could not reach " + where + ": " + why);
    }
}

} // namespace

std::optional<std::string> Response::header(std::string_view lower_case_name) const {
    const auto found = headers.find(std::string(lower_case_name));
    if (found == headers.end()) return std::nullopt;
    return found->second;
}

struct Client::Pool {
    explicit Pool(ClientOptions given) : options(std::move(given)) {}
    const ClientOptions options;
    base::Guarded<std::deque<std::unique_ptr<Slot>>> idle;

    // One that knows the server, so that its connection is used again.
    std::unique_ptr<Slot> take(const std::string& origin) {
        {
            auto slots = idle.lock();
            for (auto found = slots->rbegin(); found != slots->rend(); ++found) {
                if ((*found)->origin != origin) continue;
                auto slot = std::move(*found);
                slots->erase(std::next(found).base());
                return slot;
            }
        }
        auto slot = std::make_unique<Slot>();
        if (!slot->multi || !slot->easy) throw std::bad_alloc();
        slot->origin = origin;
        return slot;
    }

    void give_back(std::unique_ptr<Slot> slot) {
        std::unique_ptr<Slot> oldest; // closed outside the lock
        auto slots = idle.lock();
        slots->push_back(std::move(slot));
        if (slots->size() <= most_idle) return;
        oldest = std::move(slots->front());
        slots->pop_front();
    }
};

Client::Client(ClientOptions options) {
    static const CURLcode ready = curl_global_init(CURL_GLOBAL_DEFAULT); // once, thread-safe
    if (ready != CURLE_OK)
        throw base::Error(base::ErrorKind::internal, "the HTTP client could not be set up");
    pool_ = std::make_unique<Pool>(std::move(options));
}

Client::~Client() = default;

Response Client::send(const Request& request, const base::Stop& stop) {
    stop.throw_if_over("a request");
    const Url url = parse_url(request.url);
    auto slot = pool_->take(url.origin());
    const List headers = headers_of(request);
    char error[CURL_ERROR_SIZE] = "";
    Transfer transfer{
        .request = request, .options = pool_->options, .response = {}, .failure = nullptr};
    set_up(slot->easy.get(), pool_->options, url, transfer, headers, error);
    if (curl_multi_add_handle(slot->multi.get(), slot->easy.get()) != CURLM_OK)
        throw base::Error(base::ErrorKind::internal, "the HTTP client failed");
    std::optional<CURLcode> result;
    try {
        result = drive(*slot, stop);
    } catch (...) {
        curl_multi_remove_handle(slot->multi.get(), slot->easy.get());
        throw;
    }
    curl_multi_remove_handle(slot->multi.get(), slot->easy.get()); // closes a broken-off transfer
    curl_easy_reset(slot->easy.get());                             // it points into this frame
    pool_->give_back(std::move(slot));

    if (transfer.failure) std::rethrow_exception(transfer.failure);
    if (!result) stop.throw_if_over("a request");
    if (*result != CURLE_OK && !transfer.enough) fail(*result, url, error);
    return std::move(transfer.response);
}

} // namespace http
