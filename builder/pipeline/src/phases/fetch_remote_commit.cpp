#include "phases/fetch.h"

#include "remotes/repository.h"

#include "base/error.h"
#include "base/log.h"
#include "base/temp_dir.h"

#include <array>

namespace builder {
namespace {

using base::Error;
using base::ErrorKind;

// A forge that just sent a webhook is sometimes not ready to hand out what it told of.
constexpr std::array pauses{std::chrono::seconds(2), std::chrono::seconds(8)};

remotes::Settings settings_of(const Job& job, const std::filesystem::path& scratch) {
    return {.policy = {.any_host = false,
                       .allowed_private_hosts = job.allowed_private_hosts,
                       .setting = "network.allowed_private_hosts"},
            .ca_file = job.ca_file,
            .scratch = scratch,
            .most_bytes = job.limits.source_bytes};
}

// Whoever configured the repository can mend it: a refusal, not a breakage.
[[noreturn]] void refuse(const Error& error) {
    throw Error(ErrorKind::invalid_input, error.message(), error.hint());
}

void bring(const RemoteCommit& commit, const std::filesystem::path& directory, const Job& job,
           const std::filesystem::path& scratch, const base::Stop& stop) {
    const remotes::Repository repository{.url = remotes::normal_url(commit.url),
                                         .token = commit.token,
                                         .ssh_key = commit.ssh_key,
                                         .known_hosts = commit.known_hosts};
    for (std::size_t attempt = 0;; ++attempt) {
        try {
            return remotes::fetch_commit(repository, commit.commit, commit.ref, directory,
                                         settings_of(job, scratch), stop);
        } catch (const Error& error) {
            if (error.kind() == ErrorKind::not_found || error.kind() == ErrorKind::denied)
                refuse(error);
            if (error.kind() != ErrorKind::unavailable || attempt == pauses.size() ||
                stop.wait(pauses[attempt]))
                throw;
            base::log::warning("the commit is asked for again", {{"reason", error.describe()}});
            base::remove_tree(directory);
        }
    }
}

} // namespace

Fetched fetch_remote_commit(const RemoteCommit& commit, const Job& job,
                            const std::filesystem::path& target, BuildUser user,
                            const base::Stop& stop) {
    const base::TempDir scratch("commit-", job.work_directory);
    const auto repository = scratch.path() / "repository.git";
    bring(commit, repository, job, scratch.path(), stop);
    return fetch_git_tree({repository, commit.commit, {}}, job.limits, target, user, stop);
}

} // namespace builder
