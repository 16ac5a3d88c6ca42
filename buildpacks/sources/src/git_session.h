// One remote repository and its mirror: the commands that git is asked. One thread.
#pragma once

#include "git.h"

#include "remotes/git.h"

#include <optional>
#include <vector>

namespace sources {

struct Submodule {
    std::string path;
    std::string url; // absolute
    std::string commit;
};

class Git::Session {
  public:
    Session(const Store& store, const Access& access, Remote remote, const base::Stop& stop);

    const Remote& remote() const noexcept { return remote_; }

    // The commit that a branch, a tag or a full name means there; HEAD for an empty one.
    std::optional<std::string> look_up(const std::string& ref);
    // Brings a commit into the mirror; false when the repository does not have it.
    bool bring(const std::string& commit);
    // The only commit whose name begins so, of all branches and tags there.
    std::optional<std::string> complete(const std::string& prefix);
    // The files of a commit that is in the mirror.
    void check_out(const std::string& commit, const std::filesystem::path& target);
    std::vector<Submodule> submodules(const std::string& commit);

  private:
    remotes::Git command() const;
    // On the mirror, which calls nobody.
    base::Captured run(const remotes::Git& git, std::vector<std::string> arguments,
                       std::size_t limit = 1u << 20);
    // The remote, which stands for the argument "URL".
    base::Captured call(const std::vector<std::string>& arguments);
    void follow_redirect();
    void use_mirror();
    void make_mirror();
    bool has(const std::string& commit);
    void check_size(const std::string& commit);
    [[noreturn]] void fail(const base::Captured& result) const;

    const Store& store_;
    const Access& access_;
    Remote remote_;
    std::filesystem::path mirror_;
    const base::Stop& stop_;
};

} // namespace sources
