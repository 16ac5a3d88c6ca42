// Debian's docker-registry as a child on a port of its own choice, its data in a temporary
// directory. Ends with its owner.
#pragma once

#include "base/error.h"
#include "base/fd.h"
#include "base/process.h"
#include "base/task_group.h"
#include "base/temp_dir.h"

#include <fcntl.h>
#include <filesystem>
#include <optional>
#include <poll.h>
#include <string>

// YAML in one line each; empty: none.
struct RegistryOptions {
    std::string auth; // "htpasswd: {realm: x, path: FILE}"
    std::string tls;  // "certificate: FILE, key: FILE"
    std::string address = "127.0.0.1";
};

class RegistryProcess {
  public:
    explicit RegistryProcess(const RegistryOptions& options = {}) : directory_("registry") {
        base::write_file(directory_.path() / "config.yml",
                         "version: 0.1\n"
                         "log: {level: info, formatter: text}\n"
                         "storage:\n"
                         "  filesystem: {rootdirectory: " +
                             (directory_.path() / "data").string() +
                             "}\n"
                             "  delete: {enabled: true}\n" +
                             (options.auth.empty() ? "" : "auth: {" + options.auth + "}\n") +
                             "http: {addr: '" + options.address + ":0', secret: of-a-test" +
                             (options.tls.empty() ? "" : ", tls: {" + options.tls + "}") + "}\n");
        base::Pipe log = base::make_pipe();
        process_ = base::Process::start(
            {.argv = {"docker-registry", "serve", (directory_.path() / "config.yml").string()},
             .environment = base::minimal_environment({"OTEL_TRACES_EXPORTER=none"}),
             .descriptors = {{1, log.write.get()}, {2, log.write.get()}}});
        log.write.reset();
        log_ = std::move(log.read);
        host_ = options.address + ":" + port_from_log(options.address);
        drain_.start([this](const base::Stop& stop) {
            char buffer[4096];
            while (stop.wait_for(log_.get(), POLLIN) &&
                   base::read_some(log_.get(), buffer, sizeof buffer) > 0) {
            }
        });
    }

    const std::string& host() const { return host_; }
    std::string port() const { return host_.substr(host_.find(':') + 1); }
    std::filesystem::path data() const { return directory_.path() / "data"; }

  private:
    std::string port_from_log(const std::string& address) {
        const base::Stop limit = base::Stop().within(std::chrono::seconds(60));
        std::string text;
        const std::string mark = "listening on " + address + ":";
        while (true) {
            const auto found = text.find(mark);
            const auto end = found == text.npos
                                 ? text.npos
                                 : text.find_first_not_of("0123456789", found + mark.size());
            if (end != text.npos)
                return text.substr(found + mark.size(), end - found - mark.size());
            char buffer[4096];
            const auto n = limit.wait_for(log_.get(), POLLIN)
                               ? base::read_some(log_.get(), buffer, sizeof buffer)
                               : 0;
            if (n == 0)
                throw base::Error(base::ErrorKind::unavailable,
                                  "docker-registry did not start: " + text);
            text.append(buffer, n);
        }
    }

    base::TempDir directory_;
    base::UniqueFd log_;
    std::string host_;
    std::optional<base::Process> process_;
    base::TaskGroup drain_;
};
