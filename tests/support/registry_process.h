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

class RegistryProcess {
  public:
    RegistryProcess() : directory_("registry") {
        base::write_file(directory_.path() / "config.yml",
                         "version: 0.1\n"
                         "log: {level: info, formatter: text}\n"
                         "storage:\n"
                         "  filesystem: {rootdirectory: " +
                             (directory_.path() / "data").string() +
                             "}\n"
                             "  delete: {enabled: true}\n"
                             "http: {addr: 127.0.0.1:0, secret: of-a-test}\n");
        base::Pipe log = base::make_pipe();
        process_ = base::Process::start(
            {.argv = {"docker-registry", "serve", (directory_.path() / "config.yml").string()},
             .environment = base::minimal_environment({"OTEL_TRACES_EXPORTER=none"}),
             .descriptors = {{1, log.write.get()}, {2, log.write.get()}}});
        log.write.reset();
        log_ = std::move(log.read);
        host_ = "127.0.0.1:" + port_from_log();
        drain_.start([this](const base::Stop& stop) {
            char buffer[4096];
            while (stop.wait_for(log_.get(), POLLIN) &&
                   base::read_some(log_.get(), buffer, sizeof buffer) > 0) {
            }
        });
    }

    const std::string& host() const { return host_; }
    std::filesystem::path data() const { return directory_.path() / "data"; }

  private:
    std::string port_from_log() {
        const base::Stop limit = base::Stop().within(std::chrono::seconds(60));
        std::string text;
        const std::string mark = "listening on 127.0.0.1:";
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
