// What an honest SSH client cannot be made to do: keys offered and not proved, one key offered and
// another one proved, guessing without end, a second channel. Uses libssh's client half.
//
//   ssh-tricks PORT DIRECTORY-WITH-KEYS      exits 1 when a trick works
#include <libssh/libssh.h>

#include <cstdio>
#include <memory>
#include <optional>
#include <string>

namespace {

int failures = 0;

void expect(const char* what, bool holds) {
    std::printf("%s - %s\n", holds ? "ok" : "NOT OK", what);
    failures += holds ? 0 : 1;
}

struct FreeKey {
    void operator()(ssh_key key) const { ssh_key_free(key); }
};
using Key = std::unique_ptr<std::remove_pointer_t<ssh_key>, FreeKey>;

Key load(const std::string& directory, const char* name) {
    ssh_key key = nullptr;
    const auto path = directory + "/" + name;
    if (ssh_pki_import_privkey_file(path.c_str(), nullptr, nullptr, nullptr, &key) != SSH_OK)
        std::printf("cannot load %s\n", path.c_str());
    return Key(key);
}

class Client {
  public:
    explicit Client(int port) : session_(ssh_new()) {
        const bool no_configuration = false;
        const long seconds = 20;
        ssh_options_set(session_, SSH_OPTIONS_HOST, "127.0.0.1");
        ssh_options_set(session_, SSH_OPTIONS_PORT, &port);
        ssh_options_set(session_, SSH_OPTIONS_USER, "git");
        ssh_options_set(session_, SSH_OPTIONS_TIMEOUT, &seconds);
        ssh_options_set(session_, SSH_OPTIONS_PROCESS_CONFIG, &no_configuration);
        if (ssh_connect(session_) != SSH_OK)
            std::printf("cannot connect: %s\n", ssh_get_error(session_));
    }
    ~Client() {
        ssh_disconnect(session_);
        ssh_free(session_);
    }
    Client(const Client&) = delete;
    Client& operator=(const Client&) = delete;

    int offer(const Key& key) { return ssh_userauth_try_publickey(session_, nullptr, key.get()); }
    int prove(const Key& key) { return ssh_userauth_publickey(session_, nullptr, key.get()); }

    ssh_channel open() {
        ssh_channel channel = ssh_channel_new(session_);
        if (channel && ssh_channel_open_session(channel) == SSH_OK) return channel;
        if (channel) ssh_channel_free(channel);
        return nullptr;
    }

    // What the command printed; empty when it was not run.
    std::optional<std::string> run(const char* command) {
        ssh_channel channel = open();
        if (!channel || ssh_channel_request_exec(channel, command) != SSH_OK) return std::nullopt;
        std::string output;
        char piece[4096];
        for (int n = 0; (n = ssh_channel_read(channel, piece, sizeof piece, 0)) > 0;)
            output.append(piece, static_cast<std::size_t>(n));
        ssh_channel_free(channel);
        return output;
    }

  private:
    ssh_session session_;
};

constexpr const char* read_secret = "git-upload-pack 'secret.git'";

bool is_refused(const std::optional<std::string>& output) {
    return output && output->find("no app") != std::string::npos;
}

void questions_are_no_logins(int port, const Key& ann, const Key& stranger) {
    Client client(port);
    expect("a known key is worth a signature", client.offer(ann) == SSH_AUTH_SUCCESS);
    expect("an unknown key is not", client.offer(stranger) == SSH_AUTH_DENIED);
    expect("an offered key opens no channel", client.open() == nullptr);
}

void offers_do_not_stick(int port, const Key& ann, const Key& bob) {
    Client client(port);
    expect("ann's key is offered", client.offer(ann) == SSH_AUTH_SUCCESS);
    expect("bob's key is proved", client.prove(bob) == SSH_AUTH_SUCCESS);
    expect("it is bob who logged in: ann's app is refused", is_refused(client.run(read_secret)));
}

void strangers_stay_out(int port, const Key& ann, const Key& stranger) {
    Client client(port);
    client.offer(ann);
    expect("ann's key offered, a stranger's proved: denied",
           client.prove(stranger) == SSH_AUTH_DENIED);
    expect("and no channel", client.open() == nullptr);
}

void guessing_ends(int port, const Key& stranger) {
    Client client(port);
    int denials = 0;
    while (denials < 40 && client.offer(stranger) == SSH_AUTH_DENIED) ++denials;
    expect("the first guesses are answered", denials >= 1);
    expect("guessing ends after twenty", denials <= 20);
}

void one_channel(int port, const Key& bob) {
    Client client(port);
    client.prove(bob);
    expect("a first channel", client.open() != nullptr);
    expect("but not a second", client.open() == nullptr);
}

void one_command(int port, const Key& ann) {
    Client client(port);
    client.prove(ann);
    ssh_channel channel = client.open();
    expect("a first command", channel && ssh_channel_request_exec(channel, read_secret) == SSH_OK);
    expect("but not a second", ssh_channel_request_exec(channel, read_secret) != SSH_OK);
}

} // namespace

int main(int argc, char** argv) {
    if (argc != 3) return 2;
    const int port = std::stoi(argv[1]);
    const auto ann = load(argv[2], "ann");
    const auto bob = load(argv[2], "bob");
    const auto stranger = load(argv[2], "stranger");
    if (!ann || !bob || !stranger) return 2;
    questions_are_no_logins(port, ann, stranger);
    offers_do_not_stick(port, ann, bob);
    strangers_stay_out(port, ann, stranger);
    guessing_ends(port, stranger);
    one_channel(port, bob);
    one_command(port, ann);
    return failures == 0 ? 0 : 1;
}
