// A PostgreSQL server of a test's own: on a socket in a temporary directory, no TCP, run by an
// unprivileged user (it refuses root). Ends with its owner.
#pragma once

#include "skip.h"

#include "base/error.h"
#include "base/fd.h"
#include "base/process.h"
#include "base/task_group.h"
#include "base/temp_dir.h"

#include <algorithm>
#include <csignal>
#include <filesystem>
#include <memory>
#include <optional>
#include <poll.h>
#include <pwd.h>
#include <string>
#include <vector>

class PostgresqlProcess {
  public:
    struct Options {
        std::string password = {};              // empty: nobody is asked for one
        std::vector<std::string> settings = {}; // "name=value"
    };
    PostgresqlProcess() : PostgresqlProcess(Options{}) {}
    explicit PostgresqlProcess(Options options)
        : directory_("postgresql"), options_(std::move(options)) {
        if (::geteuid() == 0) {
            const auto* user = ::getpwnam("nobody");
            if (!user) throw base::Error(base::ErrorKind::not_found, "there is no user nobody");
            user_ = {user->pw_uid, user->pw_gid};
            if (::chown(directory_.path().c_str(), user->pw_uid, user->pw_gid) != 0)
                base::throw_errno("cannot give the directory away");
        }
        base::write_file(directory_.path() / "password", options_.password + "\n");
        std::vector<std::string> make{(programs() / "initdb").string(),
                                      "--pgdata=" + data(),
                                      "--username=slipway",
                                      "--encoding=UTF8",
                                      "--locale=C.UTF-8",
                                      "--no-sync",
                                      "--auth=trust"};
        if (!options_.password.empty()) {
            make.back() = "--auth=scram-sha-256";
            make.push_back("--pwfile=" + (directory_.path() / "password").string());
        }
        run(std::move(make));
        start();
    }
    ~PostgresqlProcess() { stop(); }

    // True: the test must return at once.
    static bool is_missing() {
        return must_skip(programs().empty(), "PostgreSQL's server is not installed");
    }

    // For open_postgresql.
    std::string connection(const std::string& database = "postgres") const {
        return "postgresql:///" + database + "?user=slipway&host=" + directory_.path().string();
    }
    // A database that nobody wrote into.
    std::string fresh_database() {
        const std::string name = "test" + std::to_string(++databases_);
        run({(programs() / "createdb").string(), "--host", directory_.path().string(), "--username",
             "slipway", name});
        return name;
    }

    // What psql prints: one line a row.
    std::string query(const std::string& database, const std::string& statement) const {
        return run({(programs() / "psql").string(), "--no-psqlrc", "--tuples-only", "--no-align",
                    "--host=" + directory_.path().string(), "--username=slipway",
                    "--command=" + statement, database});
    }

    void start() {
        base::Pipe log = base::make_pipe();
        // -F: without fsync, what is tested is not the disk.
        std::vector<std::string> command{(programs() / "postgres").string(),
                                         "-D",
                                         data(),
                                         "-F",
                                         "-c",
                                         "listen_addresses=",
                                         "-c",
                                         "unix_socket_directories=" + directory_.path().string()};
        for (const auto& setting : options_.settings) {
            command.push_back("-c");
            command.push_back(setting);
        }
        process_ =
            base::Process::start({.argv = std::move(command),
                                  .environment = base::minimal_environment({"LC_ALL=C"}),
                                  .descriptors = {{1, log.write.get()}, {2, log.write.get()}},
                                  .run_as = user_});
        log.write.reset();
        wait_until_ready(log.read);
        drain_.start(
            [fd = std::make_shared<base::UniqueFd>(std::move(log.read))](const base::Stop& stop) {
                char buffer[4096];
                while (stop.wait_for(fd->get(), POLLIN) &&
                       base::read_some(fd->get(), buffer, sizeof buffer) > 0) {
                }
            });
    }
    // An immediate one, as after a fault: nobody is told.
    void stop() {
        if (!process_) return;
        process_->signal(SIGQUIT);
        process_->wait();
        process_.reset();
    }

  private:
    static std::filesystem::path programs() {
        namespace fs = std::filesystem;
        std::vector<fs::path> found;
        std::error_code none;
        for (const auto& version : fs::directory_iterator("/usr/lib/postgresql", none))
            if (fs::exists(version.path() / "bin" / "initdb"))
                found.push_back(version.path() / "bin");
        return found.empty() ? fs::path() : *std::max_element(found.begin(), found.end());
    }
    std::string data() const { return (directory_.path() / "data").string(); }

    static void wait_until_ready(const base::UniqueFd& log) {
        const base::Stop limit = base::Stop().within(std::chrono::seconds(60));
        std::string text;
        while (text.find("ready to accept connections") == std::string::npos) {
            char buffer[4096];
            const auto n = limit.wait_for(log.get(), POLLIN)
                               ? base::read_some(log.get(), buffer, sizeof buffer)
                               : 0;
            if (n == 0)
                throw base::Error(base::ErrorKind::unavailable,
                                  "PostgreSQL did not start: " + text);
            text.append(buffer, n);
        }
    }

    std::string run(std::vector<std::string> command) const {
        const auto done = base::run({.argv = std::move(command),
                                     .environment = base::minimal_environment({"LC_ALL=C"}),
                                     .run_as = user_},
                                    base::Stop().within(std::chrono::seconds(60)));
        if (!done.status.ok())
            throw base::Error(base::ErrorKind::unavailable,
                              "PostgreSQL did not do it: " + done.error);
        return done.output;
    }

    base::TempDir directory_;
    const Options options_;
    std::optional<std::pair<uid_t, gid_t>> user_;
    std::optional<base::Process> process_;
    int databases_ = 0;
    base::TaskGroup drain_;
};
