// A server as a child that says on its standard output or error which port it took. Ends with its
// owner.
#pragma once

#include "base/error.h"
#include "base/fd.h"
#include "base/process.h"
#include "base/task_group.h"

#include <optional>
#include <poll.h>
#include <string>
#include <vector>

class ListeningProcess {
  public:
    // mark: what stands before the port's digits.
    ListeningProcess(std::vector<std::string> argv, std::vector<std::string> environment,
                     const std::string& mark) {
        base::Pipe log = base::make_pipe();
        process_ =
            base::Process::start({.argv = std::move(argv),
                                  .environment = base::minimal_environment(std::move(environment)),
                                  .descriptors = {{1, log.write.get()}, {2, log.write.get()}}});
        log.write.reset();
        log_ = std::move(log.read);
        port_ = port_from_log(mark);
        drain_.start([this](const base::Stop& stop) {
            char buffer[4096];
            while (stop.wait_for(log_.get(), POLLIN) &&
                   base::read_some(log_.get(), buffer, sizeof buffer) > 0) {
            }
        });
    }

    const std::string& port() const { return port_; }
    std::string host() const { return "127.0.0.1:" + port_; }

  private:
    std::string port_from_log(const std::string& mark) {
        const base::Stop limit = base::Stop().within(std::chrono::seconds(60));
        std::string text;
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
                                  "the server did not start: " + text);
            text.append(buffer, n);
        }
    }

    base::UniqueFd log_;
    std::string port_;
    std::optional<base::Process> process_;
    base::TaskGroup drain_;
};
