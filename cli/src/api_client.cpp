#include "api_client.h"

#include "base/fd.h"
#include "base/text.h"
#include "http/client.h"
#include "http/url.h"

#include <nlohmann/json.hpp>

#include <charconv>
#include <cstdio>
#include <fcntl.h>
#include <optional>
#include <unistd.h>

namespace cli {

using base::Error;
using base::ErrorKind;
using base::json::Value;

namespace {

constexpr std::size_t longest_answer = 64u << 20;
constexpr int most_waits = 3;
constexpr std::chrono::seconds longest_wait{30}; // longer: the person is told and decides
constexpr std::size_t largest_page = 100;        // the API's
constexpr std::size_t most_pages = 10'000;

ErrorKind kind_of_status(int status) {
    switch (status) {
    case 400:
    case 422:
        return ErrorKind::invalid_input;
    case 401:
        return ErrorKind::unauthenticated;
    case 403:
        return ErrorKind::denied;
    case 404:
        return ErrorKind::not_found;
    case 409:
        return ErrorKind::already_exists;
    case 413:
    case 429:
        return ErrorKind::limit_exceeded;
    case 504:
        return ErrorKind::timed_out;
    default:
        return status >= 500 && status != 500 ? ErrorKind::unavailable : ErrorKind::internal;
    }
}

std::string render_query(const Query& query) {
    std::string text;
    for (const auto& [name, value] : query)
        text += (text.empty() ? "?" : "&") + http::percent_encode(name) +
                (value.empty() ? "" : "=" + http::percent_encode(value));
    return text;
}

// Of a local socket no host is asked; the URL still needs one.
std::string base_of(const Endpoint& endpoint) {
    return endpoint.is_remote() ? endpoint.url : "http://localhost";
}

// "https://host/a/b?c" -> "/a/b?c".
std::string path_of(const std::string& address) {
    const auto host = address.find("://");
    if (host == std::string::npos) return address;
    const auto path = address.find('/', host + 3);
    return path == std::string::npos ? "/" : address.substr(path);
}

[[noreturn]] void throw_not_slipway(const Endpoint& endpoint) {
    throw Error(ErrorKind::unavailable,
                endpoint.name() + " does not answer as a Slipway server does",
                "Is the address right? Is there a proxy between, and does it pass /v1 on?");
}

} // namespace

std::string normalize_server_url(const std::string& text) {
    const auto with_scheme = text.find("://") == std::string::npos ? "https://" + text : text;
    const auto url = http::parse_url(with_scheme);
    if (url.scheme == "http" && !url.is_loopback())
        throw Error(ErrorKind::invalid_input,
                    base::quoted(text) + " would carry your token over the network unencrypted",
                    "Use https://. A server without a certificate is reached through SSH: "
                    "ssh -L 8080:127.0.0.1:PORT " +
                        url.host + ", then http://127.0.0.1:8080");
    auto path = path_of(with_scheme);
    if (path.find_first_of("?#") != std::string::npos)
        throw Error(ErrorKind::invalid_input, base::quoted(text) + " is no address of a server",
                    "Like this: https://slipway.example.com");
    while (path.ends_with('/')) path.pop_back();
    return url.origin() + path;
}

std::string api_path(std::initializer_list<std::string_view> parts) {
    std::string path = "/v1";
    for (const auto part : parts) {
        // libcurl would take "." and ".." for steps.
        if (part.empty() || part == "." || part == "..")
            throw Error(ErrorKind::invalid_input, base::quoted(part) + " is no name");
        path += "/" + http::percent_encode(part);
    }
    return path;
}

Error error_of_answer(int status, const std::string& body, const Endpoint& endpoint) {
    const auto value = Value::parse(body, nullptr, false);
    const auto found = value.is_object() ? value.find("error") : value.end();
    if (!value.is_object() || found == value.end() || !found->is_object() ||
        !base::json::find_string(*found, "message"))
        return {kind_of_status(status),
                endpoint.name() + " answered " + std::to_string(status) + " without a reason",
                status / 100 == 3 ? "It sends elsewhere: name the address that it has now."
                                  : "Is the address right, and is a Slipway server behind it?"};
    const auto code = base::json::find_string(*found, "code").value_or("");
    const auto kind = base::parse_error_kind(code).value_or(kind_of_status(status));
    auto hint = base::json::find_string(*found, "hint").value_or("");
    if (hint.empty() && kind == ErrorKind::unauthenticated && endpoint.is_remote())
        hint = "slipway login " + endpoint.url;
    if (kind == ErrorKind::internal)
        if (const auto id = base::json::find_string(*found, "request_id"))
            hint += (hint.empty() ? "" : " ") + ("The request's id: " + *id);
    return {kind, *base::json::find_string(*found, "message"), hint};
}

std::chrono::milliseconds parse_retry_after(const std::string& text,
                                            std::chrono::milliseconds otherwise) {
    int seconds = 0;
    const auto [end, failure] = std::from_chars(text.data(), text.data() + text.size(), seconds);
    if (failure != std::errc() || end != text.data() + text.size() || seconds < 0) return otherwise;
    return std::chrono::seconds(seconds);
}

Value member(const Value& answer, const std::string& name) {
    if (answer.is_object())
        if (const auto it = answer.find(name); it != answer.end()) return *it;
    throw Error(ErrorKind::unavailable, "the server's answer has no \"" + name + "\"",
                "Is the server older than this program? slipway doctor shows its version.");
}

namespace {

http::ClientOptions options_of(const Endpoint& endpoint, const std::string& version) {
    http::ClientOptions options;
    options.ca_file = endpoint.ca_file;
    options.user_agent = "slipway/" + version;
    options.unix_socket = endpoint.socket.string();
    return options;
}

// One request as often as it is worth it.
class Attempts {
  public:
    Attempts(http::Client& client, const Endpoint& endpoint, const base::Stop& stop,
             std::chrono::milliseconds pause)
        : client_(client), endpoint_(endpoint), stop_(stop), pause_(pause) {}

    // Answers of success alone. again: called before the request is sent another time.
    http::Response send(const http::Request& request, const std::function<void()>& again = {}) {
        for (;; again ? again() : void()) {
            const auto response = try_once(request);
            if (!response) continue;
            if (response->status / 100 == 2) return *response;
            if (!may_wait(*response))
                throw error_of_answer(response->status, response->body, endpoint_);
        }
    }

    http::Response send_once(const http::Request& request) {
        lost_ = true;
        const auto response = *try_once(request);
        if (response.status / 100 != 2)
            throw error_of_answer(response.status, response.body, endpoint_);
        return response;
    }

  private:
    // Empty: the connection was lost and this is worth a second try.
    std::optional<http::Response> try_once(const http::Request& request) {
        try {
            return client_.send(request, stop_);
        } catch (const Error& error) {
            if (error.kind() == ErrorKind::denied)
                throw Error(ErrorKind::denied, error.message(),
                            "For a certificate of an authority of your own: --ca-file FILE or "
                            "SLIPWAY_CA_FILE, with its PEM file.");
            if (error.kind() != ErrorKind::unavailable && error.kind() != ErrorKind::timed_out)
                throw;
            stop_.throw_if_over("asking the server");
            if (lost_ || error.kind() == ErrorKind::timed_out)
                throw ConnectionLost(endpoint_.is_remote() ? error : without_host(error));
            lost_ = true;
            pause(pause_);
            return std::nullopt;
        }
    }

    // Of a local socket the client names a host that nobody meant.
    Error without_host(const Error& error) const {
        return {error.kind(), "the server does not answer at " + endpoint_.name(),
                "Is slipwayd running? Its log says why it ended."};
    }

    bool may_wait(const http::Response& response) {
        if (response.status != 429 && response.status != 503) return false;
        const auto wish =
            parse_retry_after(response.header("retry-after").value_or(""), pause_ * (1 << waits_));
        if (++waits_ > most_waits || wish > longest_wait) return false;
        pause(wish);
        return true;
    }

    void pause(std::chrono::milliseconds time) {
        if (stop_.wait(time)) stop_.throw_if_over("waiting for the server");
    }

    http::Client& client_;
    const Endpoint& endpoint_;
    const base::Stop& stop_;
    std::chrono::milliseconds pause_;
    bool lost_ = false;
    int waits_ = 0;
};

http::Request make_request(const Endpoint& endpoint, std::string method, const std::string& path,
                           const Value* body = nullptr) {
    http::Request request{.method = std::move(method), .url = base_of(endpoint) + path};
    request.longest_body = longest_answer;
    request.headers.push_back("Accept: application/json");
    if (!endpoint.token.empty())
        request.headers.push_back("Authorization: Bearer " + endpoint.token.reveal());
    if (request.method == "POST")
        request.headers.push_back("Idempotency-Key: " + base::random_hex(16));
    if (body) {
        request.headers.push_back("Content-Type: application/json");
        request.body = base::json::render(*body);
    }
    return request;
}

Value parse_answer(const http::Response& response, const Endpoint& endpoint) {
    if (response.body.empty()) return nullptr;
    try {
        return base::json::parse(response.body, "the server's answer");
    } catch (const Error&) {
        throw_not_slipway(endpoint);
    }
}

} // namespace

struct ApiClient::Transport {
    Endpoint endpoint;
    base::Stop stop;
    std::chrono::milliseconds retry_pause;
    http::Client client;

    http::Request request(std::string method, const std::string& path,
                          const Value* body = nullptr) const {
        return make_request(endpoint, std::move(method), path, body);
    }
    Attempts attempts() { return {client, endpoint, stop, retry_pause}; }
    Value ask(const http::Request& request) {
        return parse_answer(attempts().send(request), endpoint);
    }
};

ApiClient::ApiClient(Endpoint endpoint, const std::string& version, base::Stop stop,
                     std::chrono::milliseconds retry_pause) {
    auto options = options_of(endpoint, version);
    transport_.reset(new Transport{std::move(endpoint), std::move(stop), retry_pause,
                                   http::Client(std::move(options))});
}

ApiClient::~ApiClient() = default;

const Endpoint& ApiClient::endpoint() const noexcept {
    return transport_->endpoint;
}

Value ApiClient::get(const std::string& path, const Query& query) const {
    return transport_->ask(transport_->request("GET", path + render_query(query)));
}

Value ApiClient::post(const std::string& path, const Value& body) const {
    return transport_->ask(transport_->request("POST", path, &body));
}

Value ApiClient::patch(const std::string& path, const Value& body) const {
    return transport_->ask(transport_->request("PATCH", path, &body));
}

Value ApiClient::put(const std::string& path, const Value& body) const {
    return transport_->ask(transport_->request("PUT", path, &body));
}

Value ApiClient::remove(const std::string& path, const Query& query) const {
    return transport_->ask(transport_->request("DELETE", path + render_query(query)));
}

Value ApiClient::list(const std::string& path, const std::string& name, Query query,
                      std::size_t limit) const {
    const auto size = limit == 0 ? largest_page : std::min(limit, largest_page);
    query.emplace_back("per_page", std::to_string(size));
    query.emplace_back("page", "1");
    Value all = Value::array();
    for (std::int64_t page = 1; static_cast<std::size_t>(page) <= most_pages;) {
        query.back().second = std::to_string(page);
        const auto answer = get(path, query);
        for (const auto& entry : member(answer, name)) {
            all.push_back(entry);
            if (all.size() == limit) return all;
        }
        const auto meta = answer.value(Value::json_pointer("/meta/pagination/next_page"), Value());
        // One that points back would be asked for ever.
        if (!meta.is_number_integer() || meta.get<std::int64_t>() <= page) return all;
        page = meta.get<std::int64_t>();
    }
    return all;
}

void ApiClient::stream(const std::string& path, const Query& query, const Sink& sink) const {
    auto request = transport_->request("GET", path + render_query(query));
    request.headers.front() = "Accept: text/plain";
    request.sink = sink;
    transport_->attempts().send_once(request);
}

void ApiClient::put_file(const std::string& address, const std::filesystem::path& file) const {
    const auto fd = base::open_file(file, O_RDONLY);
    const auto& asked = transport_->endpoint;
    // A path of the server's URL is in the address already.
    const auto origin = asked.is_remote() ? http::parse_url(asked.url).origin() : base_of(asked);
    http::Request request{.method = "PUT", .url = origin + path_of(address)};
    request.headers.push_back("Content-Type: application/octet-stream");
    request.body_size = std::filesystem::file_size(file);
    request.body_source = [&](char* buffer, std::size_t size) {
        return base::read_some(fd.get(), buffer, size);
    };
    request.body_rewind = [&] {
        if (::lseek(fd.get(), 0, SEEK_SET) < 0) base::throw_errno("could not read again");
    };
    transport_->attempts().send(request, request.body_rewind);
}

} // namespace cli
