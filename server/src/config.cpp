#include "server/config.h"

#include "config_keys.h"
#include "config_values.h"

#include "base/error.h"
#include "base/fd.h"
#include "base/text.h"

#include <toml++/toml.h>

#include <algorithm>

namespace server {
namespace {

using base::Error;
using base::ErrorKind;

std::string at(const std::filesystem::path& file, const toml::source_region& where) {
    return file.string() + ":" + std::to_string(where.begin.line) + ": ";
}

// How many letters apart two names are: for "did you mean".
std::size_t distance(std::string_view a, std::string_view b) {
    std::vector<std::size_t> row(b.size() + 1);
    for (std::size_t j = 0; j <= b.size(); ++j) row[j] = j;
    for (std::size_t i = 1; i <= a.size(); ++i) {
        std::size_t diagonal = std::exchange(row[0], i);
        for (std::size_t j = 1; j <= b.size(); ++j) {
            const auto changed = diagonal + (a[i - 1] == b[j - 1] ? 0 : 1);
            diagonal = row[j];
            row[j] = std::min({changed, row[j] + 1, row[j - 1] + 1});
        }
    }
    return row.back();
}

std::string nearest_key(std::string_view name) {
    const auto& table = key_table();
    const auto best = std::min_element(table.begin(), table.end(), [&](const Key& a, const Key& b) {
        return distance(a.name, name) < distance(b.name, name);
    });
    const bool near = distance(best->name, name) <= 3;
    return (near ? "Did you mean " + best->name + "? " : std::string()) +
           "The keys are listed in docs/configuration.md.";
}

std::string as_text(const toml::node& node) {
    if (const auto* text = node.as_string()) return text->get();
    if (const auto* number = node.as_integer()) return std::to_string(number->get());
    if (const auto* real = node.as_floating_point()) {
        std::string text = std::to_string(real->get());
        return text;
    }
    if (const auto* flag = node.as_boolean()) return flag->get() ? "true" : "false";
    throw Error(ErrorKind::invalid_input, "expected a text or a number");
}

std::string list_as_text(const toml::array& array) {
    std::vector<std::string> words;
    for (const auto& node : array) words.push_back(as_text(node));
    return join(words, ",");
}

class FileReader {
  public:
    FileReader(Config& config, const std::filesystem::path& file)
        : config_(config), file_(file), base_(std::filesystem::absolute(file).parent_path()) {}

    void read(const toml::table& table, const std::string& prefix) {
        for (const auto& [name, node] : table) read_node(node, prefix + std::string(name.str()));
    }

  private:
    void read_node(const toml::node& node, const std::string& name) {
        const Key* key = find_key(name);
        const toml::table* table = node.as_table();
        if (key && key->type == "table" && table) return read_environment(*table);
        if (!key && table && name.find('.') == std::string::npos && is_section(name))
            return read(*table, name + ".");
        if (!key)
            throw Error(ErrorKind::invalid_input, at(file_, node.source()) + "unknown key " + name,
                        nearest_key(name));
        try {
            const auto* array = node.as_array();
            if (array && key->type != "list")
                throw Error(ErrorKind::invalid_input, "expected one value, got a list");
            key->set(config_, array ? list_as_text(*array) : as_text(node), base_);
        } catch (const Error& error) {
            throw Error(error.kind(), at(file_, node.source()) + name + ": " + error.message());
        }
    }

    // Values of the table may hold spaces, which the text form cannot.
    void read_environment(const toml::table& table) {
        for (const auto& [name, node] : table) {
            if (!node.is_string())
                throw Error(ErrorKind::invalid_input,
                            at(file_, node.source()) + "build.environment." +
                                std::string(name.str()) + ": expected a text");
            config_.build.environment[std::string(name.str())] = node.as_string()->get();
        }
    }

    static bool is_section(const std::string& name) {
        const auto& table = key_table();
        return std::any_of(table.begin(), table.end(),
                           [&](const Key& key) { return key.name.starts_with(name + "."); });
    }

    Config& config_;
    const std::filesystem::path& file_;
    std::filesystem::path base_;
};

void read_file(Config& config, const std::filesystem::path& file) {
    const auto bytes = base::read_file(file, 1u << 20);
    try {
        const auto table = toml::parse(bytes, file.string());
        FileReader(config, file).read(table, "");
    } catch (const toml::parse_error& error) {
        throw Error(ErrorKind::invalid_input,
                    at(file, error.source()) + std::string(error.description()));
    }
}

void read_environment(Config& config, const Environment& environment) {
    for (const auto& key : key_table()) {
        const auto variable = variable_of(key.name);
        const char* value = environment(variable.c_str());
        if (!value) continue;
        try {
            key.set(config, value, std::filesystem::current_path());
        } catch (const Error& error) {
            throw Error(error.kind(), variable + ": " + error.message());
        }
    }
}

// Addresses are shown and logged; passwords are in files.
void refuse_password(const std::string& url) {
    const auto start = url.find("://");
    const auto at = url.find('@', start == std::string::npos ? 0 : start);
    const bool in_user = start != std::string::npos && at != std::string::npos &&
                         url.substr(start + 3, at - start - 3).find(':') != std::string::npos;
    if (in_user || url.find("password=") != std::string::npos)
        throw Error(ErrorKind::invalid_input, "database.url has a password in it",
                    "Write it into a file that only the server may read, and name that in "
                    "database.password_file.");
}

// What the text of one key alone cannot show.
void check(const Config& config) {
    refuse_password(config.database.url);
    if (!config.registry.user.empty() && config.registry.password_file.empty())
        throw Error(ErrorKind::invalid_input, "registry.user needs registry.password_file",
                    "Write the password into a file that only the server may read, and name it.");
    if (config.registry.client_certificate.empty() != config.registry.client_key.empty())
        throw Error(ErrorKind::invalid_input,
                    "registry.client_certificate and registry.client_key need each other",
                    "Name both files, or neither.");
    if (!config.registry.public_listen.empty() && config.http.listen.empty())
        throw Error(ErrorKind::invalid_input, "registry.public_listen needs http.listen",
                    "Whoever uses the registry fetches a token from the HTTP API.");
    if (!config.registry.public_listen.empty() && config.http.url.empty() &&
        is_loopback(parse_address(config.http.listen).host) &&
        !is_loopback(parse_address(config.registry.public_listen).host))
        throw Error(
            ErrorKind::invalid_input,
            "registry.public_listen is for other machines, which cannot reach the HTTP API "
            "for their tokens",
            "Set http.url to the address that people use, or http.listen to one of theirs.");
    if (config.registry.url.empty() && !is_loopback(parse_address(config.registry.listen).host))
        throw Error(ErrorKind::invalid_input,
                    "registry.listen is for this machine: a loopback address",
                    "For other machines there is registry.public_listen.");
    if (config.registry.url.find("://") != std::string::npos)
        throw Error(ErrorKind::invalid_input, "registry.url is written without a scheme",
                    "Write host[:port], and name it in registry.insecure for plain HTTP.");
    if (config.http.tls_certificate.empty() != config.http.tls_key.empty())
        throw Error(ErrorKind::invalid_input,
                    "http.tls_certificate and http.tls_key need each other",
                    "Name both files, or neither.");
    if (config.git.branches.empty())
        throw Error(ErrorKind::invalid_input, "git.branches must name a branch");
    if (!config.state.is_absolute())
        throw Error(ErrorKind::invalid_input, "state must be a directory");
}

} // namespace

Config load_config(const std::optional<std::filesystem::path>& file,
                   const Environment& environment) {
    Config config;
    if (file) read_file(config, *file);
    read_environment(config, environment);
    check(config);
    return config;
}

std::vector<ConfigKey> config_keys() {
    std::vector<ConfigKey> keys;
    for (const auto& key : key_table())
        keys.push_back(
            {key.name, variable_of(key.name), key.type, key.show(Config{}), key.meaning});
    return keys;
}

std::string document(const ConfigKey& key) {
    const auto value = key.default_value.empty() ? "" : "`" + key.default_value + "`";
    return "| `" + key.name + "` | " + key.type + " | " + value + " | `" + key.variable + "` | " +
           key.meaning + " |";
}

} // namespace server
