// Servers that a person has logged in to, with their tokens: one JSON file of the person's own,
// which nobody else may read. Values; main's thread.
#pragma once

#include "api_client.h"

#include "base/secret.h"

#include <filesystem>
#include <map>
#include <optional>
#include <string>

namespace cli {

struct Login {
    base::Secret token;
    std::string ca_file; // as given at the login, absolute; empty: the system's authorities
};

class Credentials {
  public:
    // $XDG_CONFIG_HOME/slipway/credentials.json, else below ~/.config.
    static std::filesystem::path usual_file();

    // None when the file is not there. Throws Error{denied} when it is another's or others may read
    // it, Error{invalid_input} when it holds something else.
    static Credentials read(const std::filesystem::path& file);
    // Mode 0600, whole or not at all; its folder is made (0700) when it is not there.
    void write(const std::filesystem::path& file) const;

    // By normalize_server_url's name. The newest login is the default.
    void add(const std::string& url, Login login);
    bool remove(const std::string& url); // false: there was none
    std::optional<Login> find(const std::string& url) const;
    const std::string& default_url() const noexcept { return default_url_; } // may be empty

  private:
    std::map<std::string, Login> logins_;
    std::string default_url_;
};

// What a person said about where the server is; empty: nothing.
struct EndpointWish {
    std::string server;            // --server
    std::filesystem::path socket;  // --socket
    bool state_given = false;      // --state
    std::string ca_file;           // --ca-file, else SLIPWAY_CA_FILE
    std::string server_variable;   // SLIPWAY_SERVER
    bool state_variable = false;   // SLIPWAY_STATE is there
    base::Secret token;            // SLIPWAY_TOKEN
    std::filesystem::path control; // the local socket
};

// Flags before variables before the default login before the local socket; "local" as a server is
// the local socket. read_credentials is called for a server on the network alone. Throws
// Error{unauthenticated} for one that nobody logged in to, Error{invalid_input} for a wish that
// cannot be.
Endpoint choose_endpoint(const EndpointWish& wish,
                         const std::function<Credentials()>& read_credentials);

} // namespace cli
