#include "tls.h"

#include "base/error.h"
#include "base/log.h"
#include "base/text.h"

#include <algorithm>
#include <cerrno>
#include <fmt/core.h>
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <utility>

namespace http {
namespace {

using SslPointer = std::unique_ptr<SSL, decltype(&SSL_free)>;

std::string last_failure() {
    char text[256] = "unknown";
    if (const auto code = ERR_get_error(); code != 0) ERR_error_string_n(code, text, sizeof text);
    ERR_clear_error();
    return text;
}

// OpenSSL's own socket BIO writes without MSG_NOSIGNAL: a client that left would send SIGPIPE.
int bio_write(BIO* bio, const char* bytes, int size) {
    BIO_clear_retry_flags(bio);
    const auto socket = static_cast<int>(reinterpret_cast<std::intptr_t>(BIO_get_data(bio)));
    ssize_t n;
    do n = ::send(socket, bytes, static_cast<std::size_t>(size), MSG_NOSIGNAL | MSG_DONTWAIT);
    while (n < 0 && errno == EINTR);
    if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) BIO_set_retry_write(bio);
    return static_cast<int>(n);
}

int bio_read(BIO* bio, char* buffer, int size) {
    BIO_clear_retry_flags(bio);
    const auto socket = static_cast<int>(reinterpret_cast<std::intptr_t>(BIO_get_data(bio)));
    ssize_t n;
    do n = ::recv(socket, buffer, static_cast<std::size_t>(size), MSG_DONTWAIT);
    while (n < 0 && errno == EINTR);
    if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) BIO_set_retry_read(bio);
    return static_cast<int>(n);
}

long bio_control(BIO*, int command, long, void*) {
    return command == BIO_CTRL_FLUSH ? 1 : 0;
}

BIO* make_bio(int socket) {
    static BIO_METHOD* const method = [] {
        BIO_METHOD* made = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "socket");
        if (!made) throw std::bad_alloc();
        BIO_meth_set_write(made, bio_write);
        BIO_meth_set_read(made, bio_read);
        BIO_meth_set_ctrl(made, bio_control);
        return made;
    }();
    BIO* bio = BIO_new(method);
    if (!bio) throw std::bad_alloc();
    BIO_set_data(bio, reinterpret_cast<void*>(static_cast<std::intptr_t>(socket)));
    BIO_set_init(bio, 1);
    return bio;
}

// Nobody is there to type a passphrase.
int no_passphrase(char*, int, int, void*) {
    return -1;
}

int choose_protocol(SSL*, const unsigned char** chosen, unsigned char* size,
                    const unsigned char* offered, unsigned offered_size, void*) {
    static constexpr unsigned char ours[] = "\x08http/1.1";
    unsigned char* found = nullptr;
    if (SSL_select_next_proto(&found, size, ours, sizeof ours - 1, offered, offered_size) !=
        OPENSSL_NPN_NEGOTIATED)
        return SSL_TLSEXT_ERR_NOACK;
    *chosen = found;
    return SSL_TLSEXT_ERR_OK;
}

class TlsConnection : public SocketConnection {
  public:
    TlsConnection(base::UniqueFd socket, Admission::Place place,
                  std::shared_ptr<ssl_ctx_st> context)
        : SocketConnection(std::move(socket), std::move(place)), context_(std::move(context)),
          ssl_(SSL_new(context_.get()), SSL_free) {
        if (!ssl_) throw std::bad_alloc();
        BIO* bio = make_bio(fd());
        SSL_set_bio(ssl_.get(), bio, bio);
        SSL_set_accept_state(ssl_.get());
    }
    ~TlsConnection() override { say_goodbye(); }

    std::optional<std::size_t> try_write(std::string_view bytes) noexcept override {
        if (bytes.empty()) return 0;
        return attempt([&](std::size_t& n) {
            return SSL_write_ex(ssl_.get(), bytes.data(), bytes.size(), &n);
        });
    }
    std::optional<std::size_t> try_read(char* buffer, std::size_t size) noexcept override {
        return attempt([&](std::size_t& n) { return SSL_read_ex(ssl_.get(), buffer, size, &n); });
    }
    void shut_down() noexcept override {
        say_goodbye();
        SocketConnection::shut_down();
    }

  private:
    template <class Call>
    std::optional<std::size_t> attempt(Call call) noexcept {
        if (broken_) return std::nullopt;
        ERR_clear_error(); // SSL_get_error looks at the thread's queue
        std::size_t n = 0;
        const int result = call(n);
        if (result > 0) return n;
        switch (SSL_get_error(ssl_.get(), result)) {
        case SSL_ERROR_WANT_READ:
            wants_ = POLLIN;
            return 0;
        case SSL_ERROR_WANT_WRITE:
            wants_ = POLLOUT;
            return 0;
        case SSL_ERROR_ZERO_RETURN: // a proper end of what the client sends
            return std::nullopt;
        default:
            broken_ = true;
            return std::nullopt;
        }
    }

    // Without it a client cannot tell the end of an answer from a cut.
    void say_goodbye() noexcept {
        if (std::exchange(broken_, true) || !SSL_is_init_finished(ssl_.get())) return;
        ERR_clear_error();
        SSL_shutdown(ssl_.get());
        ERR_clear_error();
    }

    std::shared_ptr<ssl_ctx_st> context_;
    SslPointer ssl_;
    bool broken_ = false;
};

} // namespace

TlsContext::TlsContext(ServerTls files)
    : files_(std::move(files)), stamp_(stamp()), context_(load()) {}

std::string TlsContext::stamp() const {
    std::string text;
    for (const auto& file : {files_.certificate_file, files_.key_file}) {
        struct stat info {};
        if (::stat(file.c_str(), &info) == 0)
            text += fmt::format("{}.{}.{}.{} ", info.st_ino, info.st_size, info.st_mtim.tv_sec,
                                info.st_mtim.tv_nsec);
    }
    return text;
}

std::shared_ptr<ssl_ctx_st> TlsContext::load() const {
    std::shared_ptr<SSL_CTX> made(SSL_CTX_new(TLS_server_method()), SSL_CTX_free);
    if (!made) throw std::bad_alloc();
    SSL_CTX* context = made.get();
    const auto demand = [](int result, const std::string& what) {
        if (result == 1) return;
        throw base::Error(base::ErrorKind::invalid_input, what + ": " + last_failure(),
                          "Both are PEM files; the certificate comes first in its file, those of "
                          "its authorities after it.");
    };
    SSL_CTX_set_default_passwd_cb(context, no_passphrase);
    SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION);
    SSL_CTX_set_options(context, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION |
                                     SSL_OP_CIPHER_SERVER_PREFERENCE | SSL_OP_PRIORITIZE_CHACHA |
                                     SSL_OP_IGNORE_UNEXPECTED_EOF);
    // Buffers are given back between records: a thousand followers wait most of the time.
    SSL_CTX_set_mode(context, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
                                  SSL_MODE_RELEASE_BUFFERS);
    SSL_CTX_set_alpn_select_cb(context, choose_protocol, nullptr);
    demand(SSL_CTX_set_cipher_list(context, "ECDHE+AESGCM:ECDHE+CHACHA20"), "TLS has no ciphers");
    demand(SSL_CTX_use_certificate_chain_file(context, files_.certificate_file.c_str()),
           base::quoted(files_.certificate_file) + " is no certificate");
    demand(SSL_CTX_use_PrivateKey_file(context, files_.key_file.c_str(), SSL_FILETYPE_PEM),
           base::quoted(files_.key_file) + " is not the key of the certificate");
    demand(SSL_CTX_check_private_key(context),
           base::quoted(files_.key_file) + " is not the key of the certificate");
    return made;
}

std::unique_ptr<SocketConnection> TlsContext::accept(base::UniqueFd socket,
                                                     Admission::Place place) {
    if (auto now = stamp(); now != stamp_) {
        stamp_ = std::move(now);
        try {
            context_ = load();
            base::log::info("the certificate was read again", {{"file", files_.certificate_file}});
        } catch (const base::Error& error) {
            base::log::warning("the new certificate is not used", {{"reason", error.describe()}});
        }
    }
    return std::make_unique<TlsConnection>(std::move(socket), std::move(place), context_);
}

} // namespace http
