// Git repositories through git itself, which gets nothing of ours: no configuration, no hooks, no
// credential but the URL's own, no address that was not checked. One thread.
#pragma once

#include "remote.h"
#include "store.h"

#include "base/process.h"
#include "sources/fetcher.h"

#include <functional>

namespace sources {

struct Checkout {
    std::filesystem::path directory;
    std::string commit; // 40 hex digits
    Remote remote;      // where it was found after redirects
};

class Git {
  public:
    Git(const Store& store, const Access& access,
        const std::function<void(const std::string&)>& on_line)
        : store_(store), access_(access), on_line_(on_line) {}

    // A commit that is here needs no network; a branch or a tag is asked for each time. Throws
    // Error{not_found} when there is no such repository or ref.
    Checkout fetch(const GitUrl& git, const base::Stop& stop) const;

  private:
    class Session;
    Checkout fetch(const GitUrl& git, int depth, const base::Stop& stop) const;
    std::filesystem::path obtain(Session& session, const std::string& commit, int depth,
                                 const base::Stop& stop) const;
    void add_submodules(Session& session, const std::string& commit,
                        const std::filesystem::path& tree, int depth, const base::Stop& stop) const;

    const Store& store_;
    const Access& access_;
    const std::function<void(const std::string&)>& on_line_;
};

} // namespace sources
