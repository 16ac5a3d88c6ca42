#include "remotes/repository.h"

#include "remotes/git.h"
#include "session.h"

#include "base/error.h"
#include "base/text.h"

#include <algorithm>
#include <sstream>

namespace remotes {
namespace {

using base::Error;
using base::ErrorKind;
using Reach = Session::Reach;

constexpr auto time_to_list = std::chrono::minutes(1);
constexpr auto time_to_fetch = std::chrono::minutes(15);
constexpr int whole_history = 0x7fffffff; // as git fetch --unshallow has it

bool is_commit(const std::string& name) {
    return name.size() == 40 && name.find_first_not_of("0123456789abcdef") == name.npos;
}

// What git check-ref-format(1) forbids, and what a refspec would read otherwise.
void check_ref(const std::string& ref) {
    if (ref.starts_with("refs/") && ref.size() <= 255 && ref.find("..") == ref.npos &&
        ref.find("@{") == ref.npos && ref.find_first_of(" ~^:?*[\\+") == ref.npos &&
        std::none_of(ref.begin(), ref.end(), [](unsigned char c) { return c < ' ' || c == 0x7f; }))
        return;
    throw Error(ErrorKind::invalid_input, base::quoted(ref) + " is not the name of a ref");
}

class Fetch {
  public:
    Fetch(const Session& session, std::filesystem::path directory, std::string url,
          std::string commit)
        : session_(session), directory_(std::move(directory)), url_(std::move(url)),
          commit_(std::move(commit)) {}

    void make() const {
        const auto made = session_.git(
            {"init", "--bare", "--quiet", "--template=", directory_.string()}, Reach::local);
        if (!made.status.ok()) session_.fail(made);
    }

    // Whether the commit is here now. What the server answers about the commit is no failure.
    bool bring(const std::string& wanted, int depth) const {
        std::vector<std::string> arguments{"--git-dir=" + directory_.string(),
                                           "fetch",
                                           "--quiet",
                                           "--no-tags",
                                           "--no-write-fetch-head",
                                           "--no-recurse-submodules",
                                           "--update-shallow"};
        arguments.push_back("--depth=" + std::to_string(depth));
        arguments.push_back(url_);
        arguments.push_back("+" + wanted + ":refs/slipway/wanted");
        const auto result = session_.git(std::move(arguments), Reach::network);
        if (!result.status.ok() && fault_of(result) != GitFault::no_such_ref) session_.fail(result);
        return result.status.ok() && has_commit();
    }

  private:
    bool has_commit() const {
        return session_
            .git({"--git-dir=" + directory_.string(), "cat-file", "-e", commit_ + "^{commit}"},
                 Reach::local)
            .status.ok();
    }

    const Session& session_;
    const std::filesystem::path directory_;
    const std::string url_;
    const std::string commit_;
};

} // namespace

std::map<std::string, std::string> list_refs(const Repository& repository,
                                             const std::vector<std::string>& refs,
                                             const Settings& settings, const base::Stop& stop) {
    for (const auto& ref : refs) check_ref(ref);
    const auto bounded = stop.within(time_to_list);
    const Session session(repository, settings, bounded);
    std::vector<std::string> arguments{"ls-remote", "--quiet", repository.url};
    arguments.insert(arguments.end(), refs.begin(), refs.end());
    const auto result = session.git(std::move(arguments), Reach::network);
    if (!result.status.ok()) session.fail(result);
    std::map<std::string, std::string> heads;
    std::istringstream lines(result.output);
    std::string commit, ref; // a pattern also matches the end of longer names
    while (lines >> commit >> ref)
        if (is_commit(commit) && std::find(refs.begin(), refs.end(), ref) != refs.end())
            heads[ref] = commit;
    return heads;
}

void fetch_commit(const Repository& repository, const std::string& commit, const std::string& ref,
                  const std::filesystem::path& directory, const Settings& settings,
                  const base::Stop& stop) {
    if (!is_commit(commit))
        throw Error(ErrorKind::invalid_input,
                    base::quoted(commit) + " is not a whole commit's name");
    const auto bounded = stop.within(time_to_fetch);
    const Session session(repository, settings, bounded);
    const Fetch fetch(session, directory, repository.url, commit);
    fetch.make();
    if (fetch.bring(commit, 1)) return;
    if (!ref.empty()) {
        check_ref(ref);
        // The ref may have moved on since: first what it names, then some history, then all of it.
        for (const int depth : {1, 50, whole_history})
            if (fetch.bring(ref, depth)) return;
    }
    throw Error(ErrorKind::not_found,
                "there is no commit " + commit + " in " + repository.url +
                    (ref.empty() ? "" : " (" + base::printable(ref) + ")"),
                "It may have been replaced by a forced push; push again to build what is there.");
}

} // namespace remotes
