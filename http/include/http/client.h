// An HTTP/1.1 and 2 client over libcurl: the only code that includes it. Bodies stream both ways
// with bounded memory. Thread-safe: each call takes a connection of a pool.
#pragma once

#include "http/url.h"

#include "base/secret.h"
#include "base/stop.h"

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace http {

struct Request {
    std::string method = "GET";
    std::string url;
    std::vector<std::string> headers; // "Name: value"
    std::string body;
    // Instead of body: exactly body_size bytes pulled from here. rewind is called before a resend.
    std::function<std::size_t(char* buffer, std::size_t size)> body_source;
    std::uint64_t body_size = 0;
    std::function<void()> body_rewind;
    // Instead of Response::body for 2xx answers.
    std::function<void(std::string_view bytes)> sink;
    std::function<void(int status)> on_status; // once the headers are there, before the body
    std::size_t longest_body = 4u << 20;       // of Response::body
    // Redirects are not followed by the client: the caller decides who may see its credentials.
};

struct Response {
    int status = 0;
    std::multimap<std::string, std::string> headers; // names in lower case
    std::string body;
    std::optional<std::string> header(std::string_view lower_case_name) const;
};

// Who we are, for a server that wants to see a certificate. Shown to that server alone.
struct ClientCertificate {
    std::string chain;  // PEM, ours first
    base::Secret key;   // PEM
    std::string origin; // "https://host:port", as Url::origin() has it
};

struct ClientOptions {
    std::string ca_file; // PEM bundle in addition to the system's; empty: the system's alone
    std::chrono::seconds connect_timeout{15};
    std::chrono::seconds stall_timeout{60}; // no byte either way
    std::string user_agent = "slipway/0.1";
    std::string unix_socket; // path; every connection is made to it, whatever a URL's host is
    // Asked with each numeric address before a connection is made to it, whatever its name was
    // resolved to; false: Error{denied}. For URLs of strangers (address.h). Empty: all are allowed.
    std::function<bool(const std::string& address)> allow_address;
    std::optional<ClientCertificate> certificate;
};

class Client {
  public:
    explicit Client(ClientOptions options = {});
    ~Client();
    // Any status is a Response. Throws Error{unavailable | timed_out | cancelled} when there was
    // no complete answer, Error{denied} when the server's certificate is not trusted, ours is not
    // taken, or its address not allowed. What a callback of the request throws comes out as it is.
    Response send(const Request& request, const base::Stop& stop);

  private:
    struct Pool;
    std::unique_ptr<Pool> pool_;
};

} // namespace http
