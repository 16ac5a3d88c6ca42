// Uploaded sources: a row for each place that somebody asked for, the bytes by their digest in a
// file of the server's. The same bytes are one file. Any thread.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace apps {

class Database;

struct Upload {
    std::string id;          // "s" and 12 characters
    std::string secret_hash; // SHA-256 of the secret in its pre-authenticated URLs
    std::string owner;       // the token that asked for it
    std::string digest;      // "sha256:..."; empty: nothing came yet
    std::uint64_t size = 0;
    std::int64_t created = 0;
    std::int64_t expires = 0; // of the URLs
};

class Uploads {
  public:
    explicit Uploads(Database& database) : database_(database) {}
    void add(const Upload& upload);
    std::optional<Upload> find(std::string_view id);
    void complete(std::string_view id, std::string_view digest, std::uint64_t size);
    bool is_used(std::string_view digest); // by an upload or a build that is not over
    bool is_needed(std::string_view digest,
                   std::int64_t since); // by one made since then, or a build
    std::vector<Upload> list_before(std::int64_t time);
    void remove(std::string_view id);

  private:
    Database& database_;
};

} // namespace apps
