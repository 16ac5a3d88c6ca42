#include "phases/fetch.h"

#include "base/error.h"
#include "base/fd.h"
#include "image/unpack.h"

#include <fcntl.h>

namespace builder {

namespace fs = std::filesystem;

Fetched fetch(const Job& job, const Workspace& workspace, BuildUser user, const base::Stop& stop) {
    Fetched fetched;
    if (const auto* tree = std::get_if<GitTree>(&job.source))
        fetched = fetch_git_tree(*tree, job.limits, workspace.app, user, stop);
    else if (const auto* archive = std::get_if<Archive>(&job.source))
        fetched = fetch_archive(*archive, job.limits, workspace.app, user, stop);
    else if (const auto* commit = std::get_if<RemoteCommit>(&job.source))
        fetched = fetch_remote_commit(*commit, job, workspace.app, user, stop);
    else
        throw base::Error(base::ErrorKind::invalid_input, "this source cannot be fetched yet");
    if (fetched.files == 0)
        throw base::Error(base::ErrorKind::invalid_input,
                          "there is not a single file in the source",
                          "Commit your app's files and push again.");
    return fetched;
}

Fetched fetch_archive(const Archive& archive, const JobLimits& limits, const fs::path& target,
                      BuildUser user, const base::Stop& stop) {
    const base::UniqueFd file = base::open_file(archive.file, O_RDONLY);
    image::UnpackLimits caps;
    caps.bytes = limits.source_bytes;
    caps.entries = limits.source_entries;
    image::unpack_source(
        [&](char* buffer, std::size_t size) { return base::read_some(file.get(), buffer, size); },
        target, caps,
        archive.strip_single_root ? image::RootDirectory::strip_single : image::RootDirectory::keep,
        stop);
    Fetched fetched;
    for (const auto& entry : fs::recursive_directory_iterator(target)) {
        give_to(entry.path(), user);
        if (entry.is_directory() && !entry.is_symlink()) continue;
        ++fetched.files;
        if (entry.is_regular_file() && !entry.is_symlink()) fetched.bytes += entry.file_size();
    }
    return fetched;
}

} // namespace builder
