// A real nginx with one TLS server on a port of this machine, as a front that registries stand
// behind. Ends with its owner.
#pragma once

#include "base/error.h"
#include "base/fd.h"
#include "base/process.h"
#include "base/temp_dir.h"
#include "listening_socket.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <optional>
#include <string>
#include <sys/socket.h>
#include <tuple>

class NginxProcess {
  public:
    // server: what stands in its server block. address: numeric.
    NginxProcess(const std::string& address, const std::string& server) : directory_("nginx") {
        std::tie(listener_, port_) = listen_at(address);
        const auto path = [&](const char* file) { return (directory_.path() / file).string(); };
        base::write_file(
            path("nginx.conf"),
            "daemon off; user root; worker_processes 1; pid " + path("pid") + "; error_log " +
                path("log") + " info;\nevents {}\nhttp { access_log off; client_body_temp_path " +
                path("body") + "; proxy_temp_path " + path("proxy") + "; fastcgi_temp_path " +
                path("fastcgi") + "; uwsgi_temp_path " + path("uwsgi") + "; scgi_temp_path " +
                path("scgi") + ";\nserver { listen " + address + ":" + std::to_string(port_) +
                " ssl; " + server + " } }\n");
        // It takes our socket as it takes that of an older nginx, so that no port is guessed; who
        // connects before it is up waits in the queue.
        process_ = base::Process::start({.argv = {"nginx", "-p", directory_.path().string(), "-e",
                                                  path("log"), "-c", path("nginx.conf")},
                                         .environment = base::minimal_environment({"NGINX=3;"}),
                                         .descriptors = {{3, listener_.get()}}});
    }

    int port() const { return port_; }

  private:
    base::TempDir directory_;
    base::UniqueFd listener_;
    int port_ = 0;
    std::optional<base::Process> process_;
};
