// Debian's docker-registry as a child on a port of its own choice, its data in a temporary
// directory. Ends with its owner.
#pragma once

#include "listening_process.h"

#include "base/temp_dir.h"

#include <filesystem>

// YAML in one line each; empty: none.
struct RegistryOptions {
    std::string auth; // "htpasswd: {realm: x, path: FILE}"
    std::string tls;  // "certificate: FILE, key: FILE"
    std::string address = "127.0.0.1";
};

class RegistryProcess {
  public:
    explicit RegistryProcess(const RegistryOptions& options = {})
        : directory_("registry"), host_(options.address),
          process_({"docker-registry", "serve", write_config(options)},
                   {"OTEL_TRACES_EXPORTER=none"}, "listening on " + options.address + ":") {
        host_ += ":" + process_.port();
    }

    const std::string& host() const { return host_; }
    const std::string& port() const { return process_.port(); }
    std::filesystem::path data() const { return directory_.path() / "data"; }

  private:
    std::string write_config(const RegistryOptions& options) const {
        const auto path = directory_.path() / "config.yml";
        base::write_file(path, "version: 0.1\n"
                               "log: {level: info, formatter: text}\n"
                               "storage:\n"
                               "  filesystem: {rootdirectory: " +
                                   data().string() +
                                   "}\n"
                                   "  delete: {enabled: true}\n" +
                                   (options.auth.empty() ? "" : "auth: {" + options.auth + "}\n") +
                                   "http: {addr: '" + options.address + ":0', secret: of-a-test" +
                                   (options.tls.empty() ? "" : ", tls: {" + options.tls + "}") +
                                   "}\n");
        return path.string();
    }

    base::TempDir directory_;
    std::string host_;
    ListeningProcess process_;
};
