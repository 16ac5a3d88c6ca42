// git, told to call one repository and nothing else. One thread.
#pragma once

#include "remotes/repository.h"

#include "base/process.h"
#include "base/temp_dir.h"

namespace remotes {

class Session {
  public:
    // Looks the host up and checks it. Throws as list_refs does.
    Session(const Repository& repository, const Settings& settings, const base::Stop& stop);

    enum class Reach { local, network };
    base::Captured git(std::vector<std::string> arguments, Reach reach) const;
    // What git said, as an error.
    [[noreturn]] void fail(const base::Captured& result) const;

  private:
    std::string ssh_command() const;
    void give(const std::filesystem::path& path) const; // to him who git is

    const Repository& repository_;
    const Settings& settings_;
    const base::Stop& stop_;
    std::vector<std::string> addresses_; // empty: whatever the name means
    base::TempDir files_;                // the key and the known hosts
};

} // namespace remotes
