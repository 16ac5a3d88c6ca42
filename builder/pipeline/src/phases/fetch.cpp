#include "phases/fetch.h"

#include "base/error.h"
#include "base/fd.h"
#include "base/text.h"
#include "image/unpack.h"

#include <fcntl.h>

namespace builder {

namespace fs = std::filesystem;

namespace {

Fetched fetch_any(const Job& job, const fs::path& target, BuildUser user, const base::Stop& stop) {
    const auto& source = job.source;
    if (const auto* tree = std::get_if<GitTree>(&source))
        return fetch_git_tree(*tree, job.limits, target, user, stop);
    if (const auto* archive = std::get_if<Archive>(&source))
        return fetch_archive(*archive, job.limits, target, user, stop);
    if (const auto* remote = std::get_if<RemoteArchive>(&source))
        return fetch_remote_archive(*remote, job, target, user, stop);
    throw base::Error(base::ErrorKind::invalid_input, "this source cannot be fetched yet");
}

image::UnpackLimits caps_of(const JobLimits& limits) {
    return {.bytes = limits.source_bytes,
            .entries = limits.source_entries,
            .ratio = limits.archive_ratio,
            .depth = limits.source_depth,
            .names = {.bytes = "build.source_size",
                      .entries = "build.source_entries",
                      .ratio = "build.source_ratio",
                      .depth = "build.source_depth"}};
}

} // namespace

Fetched fetch(const Job& job, const Workspace& workspace, BuildUser user, const base::Stop& stop) {
    Fetched fetched;
    try {
        fetched = fetch_any(job, workspace.app, user, stop.within(job.limits.source_time));
    } catch (const base::Error& error) {
        if (error.kind() != base::ErrorKind::timed_out || stop.expired()) throw;
        throw base::Error(
            base::ErrorKind::timed_out,
            "fetching the source took longer than " +
                base::human_duration(std::chrono::milliseconds(job.limits.source_time).count()),
            "The server's operator sets the limit: build.source_time.");
    }
    if (fetched.files == 0)
        throw base::Error(base::ErrorKind::invalid_input,
                          "there is not a single file in the source",
                          "Commit your app's files and push again.");
    return fetched;
}

Fetched fetch_archive(const Archive& archive, const JobLimits& limits, const fs::path& target,
                      BuildUser user, const base::Stop& stop) {
    const base::UniqueFd file = base::open_file(archive.file, O_RDONLY);
    return unpack_archive(file.get(),
                          archive.strip_single_root ? image::RootDirectory::strip_single
                                                    : image::RootDirectory::keep,
                          limits, target, user, stop);
}

Fetched unpack_archive(int file, image::RootDirectory root, const JobLimits& limits,
                       const fs::path& target, BuildUser user, const base::Stop& stop) {
    image::unpack_source(
        [&](char* buffer, std::size_t size) { return base::read_some(file, buffer, size); }, target,
        caps_of(limits), root, stop);
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
