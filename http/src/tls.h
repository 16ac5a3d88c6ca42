// TLS over OpenSSL: the certificate as it is on disk now, and connections that speak it. Private to
// the server.
#pragma once

#include "connection.h"

#include <memory>
#include <string>

struct ssl_ctx_st;

namespace http {

// The certificate and its key, read again when a file changes; a pair that does not fit is told to
// the operator's log and the one before it stays. One thread.
class TlsContext {
  public:
    // Throws Error{invalid_input} for files that are no certificate and its key.
    explicit TlsContext(ServerTls files);

    // A connection that has still to shake hands: it does so in its first reads.
    std::unique_ptr<SocketConnection> accept(base::UniqueFd socket, Admission::Place place);

  private:
    std::string stamp() const; // changes when a file does
    std::shared_ptr<ssl_ctx_st> load() const;

    ServerTls files_;
    std::string stamp_;
    std::shared_ptr<ssl_ctx_st> context_;
};

} // namespace http
