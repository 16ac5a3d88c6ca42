#include "ssh/front.h"

#include "base/error.h"

#include <algorithm>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>

namespace receiver {
namespace {

using base::Error;
using base::ErrorKind;

constexpr int most_attempts = 20;
constexpr int most_distinct_keys = 20;

// What ssh-audit calls good and every OpenSSH of the last ten years has. libssh's defaults would
// add NIST curves, 2048-bit groups, encrypt-and-MAC and zlib.
constexpr const char* key_exchanges = "curve25519-sha256,curve25519-sha256@libssh.org";
constexpr const char* ciphers =
    "aes128-gcm@openssh.com,aes256-gcm@openssh.com,chacha20-poly1305@openssh.com";
constexpr const char* macs = "hmac-sha2-256-etm@openssh.com,hmac-sha2-512-etm@openssh.com";
constexpr const char* host_key_kinds = "ssh-ed25519,rsa-sha2-512,rsa-sha2-256";
// People's keys; certificates, DSA and SHA-1 signatures are not among them.
constexpr const char* user_key_kinds =
    "ssh-ed25519,sk-ssh-ed25519@openssh.com,rsa-sha2-512,rsa-sha2-256,ecdsa-sha2-nistp256,"
    "ecdsa-sha2-nistp384,ecdsa-sha2-nistp521,sk-ecdsa-sha2-nistp256@openssh.com";

void set(ssh_bind bind, ssh_bind_options_e option, const void* value) {
    if (ssh_bind_options_set(bind, option, value) != SSH_OK)
        throw Error(ErrorKind::internal,
                    std::string("libssh refused a setting: ") + ssh_get_error(bind));
}

void set_host_key(ssh_bind bind, const std::string& text) {
    ssh_key key = nullptr;
    if (ssh_pki_import_privkey_base64(text.c_str(), nullptr, nullptr, nullptr, &key) != SSH_OK)
        throw Error(ErrorKind::internal, "a host key could not be read");
    set(bind, SSH_BIND_OPTIONS_IMPORT_KEY, key); // the bind owns it now
}

Owned<ssh_bind> make_bind(const std::vector<std::string>& host_keys) {
    Owned<ssh_bind> bind(ssh_bind_new());
    if (!bind) throw Error(ErrorKind::internal, "out of memory");
    const bool no = false;
    const int rsa_bits = 2048;
    set(bind.get(), SSH_BIND_OPTIONS_PROCESS_CONFIG, &no);
    set(bind.get(), SSH_BIND_OPTIONS_KEY_EXCHANGE, key_exchanges);
    set(bind.get(), SSH_BIND_OPTIONS_CIPHERS_C_S, ciphers);
    set(bind.get(), SSH_BIND_OPTIONS_CIPHERS_S_C, ciphers);
    set(bind.get(), SSH_BIND_OPTIONS_HMAC_C_S, macs);
    set(bind.get(), SSH_BIND_OPTIONS_HMAC_S_C, macs);
    set(bind.get(), SSH_BIND_OPTIONS_RSA_MIN_SIZE, &rsa_bits);
    for (const auto& key : host_keys) set_host_key(bind.get(), key);
    set(bind.get(), SSH_BIND_OPTIONS_HOSTKEY_ALGORITHMS, host_key_kinds);
    set(bind.get(), SSH_BIND_OPTIONS_PUBKEY_ACCEPTED_KEY_TYPES, user_key_kinds);
    set(bind.get(), SSH_BIND_OPTIONS_BANNER, "Slipway");
    return bind;
}

std::string fingerprint_of(ssh_key key) {
    unsigned char* hash = nullptr;
    std::size_t size = 0;
    if (ssh_get_publickey_hash(key, SSH_PUBLICKEY_HASH_SHA256, &hash, &size) != 0) return {};
    char* text = ssh_get_fingerprint_hash(SSH_PUBLICKEY_HASH_SHA256, hash, size);
    std::string fingerprint = text ? text : "";
    ssh_string_free_char(text);
    ssh_clean_pubkey_hash(&hash);
    return fingerprint;
}

} // namespace

void answer_quickly(int socket) noexcept {
    const int on = 1;
    ::setsockopt(socket, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    ::setsockopt(socket, IPPROTO_TCP, TCP_QUICKACK, &on, sizeof on); // the kernel forgets this one
}

Front::Front(int socket, const std::vector<std::string>& host_keys, Door& door)
    : door_(door), session_(ssh_new()), event_(ssh_event_new()) {
    if (!session_ || !event_) throw Error(ErrorKind::internal, "out of memory");
    const auto bind = make_bind(host_keys);
    answer_quickly(socket);
    // The session copies the settings and the keys, so the bind may go.
    if (ssh_bind_accept_fd(bind.get(), session_.get(), socket) != SSH_OK)
        throw Error(ErrorKind::internal, std::string("libssh: ") + ssh_get_error(bind.get()));
    set_callbacks();
    ssh_set_auth_methods(session_.get(), SSH_AUTH_METHOD_PUBLICKEY);
    ssh_set_blocking(session_.get(), 0);
}

void Front::set_callbacks() {
    server_callbacks_.userdata = this;
    server_callbacks_.auth_pubkey_function = on_key;
    server_callbacks_.channel_open_request_session_function = on_channel;
    ssh_callbacks_init(&server_callbacks_);
    channel_callbacks_.userdata = this;
    channel_callbacks_.channel_env_request_function = on_environment;
    channel_callbacks_.channel_exec_request_function = on_command;
    channel_callbacks_.channel_shell_request_function = on_shell;
    ssh_callbacks_init(&channel_callbacks_);
    ssh_set_server_callbacks(session_.get(), &server_callbacks_);
}

bool Front::exchange_keys(const base::Stop& stop) {
    const int socket = ssh_get_fd(session_.get());
    for (;;) {
        answer_quickly(socket);
        const int done = ssh_handle_key_exchange(session_.get());
        if (done == SSH_OK) return true;
        if (done != SSH_AGAIN) return false;
        const bool writing = ssh_get_poll_flags(session_.get()) & SSH_WRITE_PENDING;
        if (!stop.wait_for(socket, static_cast<short>(writing ? POLLIN | POLLOUT : POLLIN)))
            return false;
    }
}

// Waits for the client's next bytes and lets libssh take them.
bool Front::step(const base::Stop& stop) {
    const int socket = ssh_get_fd(session_.get());
    if (socket < 0) return false;
    answer_quickly(socket);
    const bool writing = ssh_get_poll_flags(session_.get()) & SSH_WRITE_PENDING;
    if (!stop.wait_for(socket, static_cast<short>(writing ? POLLIN | POLLOUT : POLLIN)))
        return false;
    return ssh_event_dopoll(event_.get(), 0) != SSH_ERROR &&
           (ssh_get_status(session_.get()) & (SSH_CLOSED | SSH_CLOSED_ERROR)) == 0;
}

bool Front::log_in(const base::Stop& stop) {
    login_stop_ = stop;
    if (!exchange_keys(stop)) return false;
    if (ssh_event_add_session(event_.get(), session_.get()) != SSH_OK) return false;
    while (!identity_) {
        if (!step(stop) || !failure_.empty()) return false;
        if (!identity_ && attempts_ >= most_attempts) return false;
    }
    return true;
}

bool Front::await_request(const base::Stop& stop) {
    while (!asked_)
        if (!step(stop)) return false;
    return true;
}

void Front::hang_up(const char* text) noexcept {
    // libssh drops its last message unless what went before has left. Meanwhile nothing more is
    // read: an answer to it would overtake the reason.
    const int nothing_small = 1 << 20;
    ::setsockopt(ssh_get_fd(session_.get()), SOL_SOCKET, SO_RCVLOWAT, &nothing_small,
                 sizeof nothing_small);
    const auto patience = base::Stop{}.within(std::chrono::seconds(2));
    while (ssh_get_poll_flags(session_.get()) & SSH_WRITE_PENDING)
        if (!patience.wait_for(ssh_get_fd(session_.get()), POLLOUT) ||
            ssh_event_dopoll(event_.get(), 0) == SSH_ERROR)
            break;
    ssh_session_set_disconnect_message(session_.get(), text);
    ssh_disconnect(session_.get());
}

// The daemon is asked once per key: a probe and the signature after it are one question.
std::optional<std::string> Front::user_of(const std::string& fingerprint) {
    const auto known = known_keys_.find(fingerprint);
    if (known != known_keys_.end()) return known->second;
    if (known_keys_.size() >= most_distinct_keys) return std::nullopt;
    return known_keys_[fingerprint] = door_.identify(fingerprint, login_stop_);
}

// Called for the client's question "would this key do?" (state NONE) and for a signature (VALID
// once libssh has verified it). Only the latter may bind an identity: CVE-2024-45337 and its kin
// took it from the question.
int Front::judge_key(ssh_key key, char state) noexcept {
    if (identity_ || ++attempts_ > most_attempts || !failure_.empty()) return SSH_AUTH_DENIED;
    if (state != SSH_PUBLICKEY_STATE_NONE && state != SSH_PUBLICKEY_STATE_VALID)
        return SSH_AUTH_DENIED;
    try {
        auto fingerprint = fingerprint_of(key);
        auto user = fingerprint.empty() ? std::nullopt : user_of(fingerprint);
        if (!user) return SSH_AUTH_DENIED;
        if (state == SSH_PUBLICKEY_STATE_VALID)
            identity_ = Identity{.user = std::move(*user), .fingerprint = std::move(fingerprint)};
        return SSH_AUTH_SUCCESS;
    } catch (const std::exception& error) {
        failure_ = error.what();
        // After a "no" the client would go and blame the key; log_in() hangs up with the reason
        // instead. A "yes" to a question gives nothing away: it binds nobody.
        return state == SSH_PUBLICKEY_STATE_NONE ? SSH_AUTH_SUCCESS : SSH_AUTH_DENIED;
    }
}

int Front::on_key(ssh_session, const char*, ssh_key key, char state, void* self) noexcept {
    return static_cast<Front*>(self)->judge_key(key, state);
}

ssh_channel Front::on_channel(ssh_session session, void* self) noexcept {
    auto& front = *static_cast<Front*>(self);
    if (!front.identity_ || front.channel_) return nullptr;
    front.channel_ = ssh_channel_new(session);
    if (front.channel_) ssh_set_channel_callbacks(front.channel_, &front.channel_callbacks_);
    return front.channel_;
}

int Front::on_environment(ssh_session, ssh_channel, const char* name, const char* value,
                          void* self) noexcept {
    auto& front = *static_cast<Front*>(self);
    if (front.asked_ || std::string_view(name) != "GIT_PROTOCOL" || !is_git_protocol(value))
        return 1;
    front.git_protocol_ = value; // nine bytes: fits without an allocation
    return 0;
}

int Front::on_command(ssh_session, ssh_channel, const char* command, void* self) noexcept {
    auto& front = *static_cast<Front*>(self);
    if (front.asked_) return 1;
    try {
        front.asked_ =
            Asked{.shell = false, .command = command, .git_protocol = front.git_protocol_};
        return 0;
    } catch (const std::exception& error) {
        front.failure_ = error.what();
        return 1;
    }
}

int Front::on_shell(ssh_session, ssh_channel, void* self) noexcept {
    auto& front = *static_cast<Front*>(self);
    if (front.asked_) return 1;
    front.asked_ = Asked{.shell = true, .command = {}, .git_protocol = {}};
    return 0;
}

} // namespace receiver
