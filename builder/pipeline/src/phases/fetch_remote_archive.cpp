#include "phases/fetch.h"

#include "base/error.h"
#include "base/text.h"
#include "http/url.h"
#include "sources/download.h"

namespace builder {
namespace {

using base::Error;
using base::ErrorKind;

sources::Access access_of(const Job& job) {
    sources::Access access;
    if (job.source_access.any_host) access.hosts = sources::Access::Hosts::any;
    access.allowed_private_hosts = job.source_access.allowed_private_hosts;
    access.ca_file = job.ca_file.string();
    access.most_bytes = job.limits.archive_bytes;
    return access;
}

std::string shown(const std::string& url) {
    return base::quoted(http::without_secrets(url));
}

sources::Downloaded download(const RemoteArchive& archive, const Job& job, const base::Stop& stop) {
    const auto name = shown(archive.url);
    try {
        return sources::download({.url = archive.url}, access_of(job), job.work_directory, stop);
    } catch (const Error& error) {
        switch (error.kind()) {
        case ErrorKind::limit_exceeded:
            throw Error(ErrorKind::limit_exceeded,
                        "the archive at " + name + " is larger than " +
                            base::human_bytes(job.limits.archive_bytes),
                        "Leave out what the build can download or make. The server's operator "
                        "sets the limit: upload.size.");
        case ErrorKind::denied: // whoever named the URL mends it
        case ErrorKind::not_found:
            throw Error(ErrorKind::invalid_input,
                        "the archive at " + name + " cannot be fetched: " + error.message(),
                        error.hint());
        default:
            throw;
        }
    }
}

} // namespace

Fetched fetch_remote_archive(const RemoteArchive& archive, const Job& job,
                             const std::filesystem::path& target, BuildUser user,
                             const base::Stop& stop) {
    const auto got = download(archive, job, stop);
    if (const int status = got.response.status; status != 200)
        throw Error(status >= 500 ? ErrorKind::unavailable : ErrorKind::invalid_input,
                    "there is no archive at " + shown(archive.url) + ": its server answers " +
                        std::to_string(status),
                    "Check that the URL is right and has not expired.");
    if (!archive.checksum.empty() && archive.checksum != "sha256:" + got.digest)
        throw Error(ErrorKind::invalid_input,
                    "the archive at " + shown(archive.url) + " has the checksum sha256:" +
                        got.digest + ", not " + base::printable(archive.checksum),
                    "It is another file than the one that was announced.");
    auto fetched = unpack_archive(got.file.get(), image::RootDirectory::strip_single, job.limits,
                                  target, user, stop);
    fetched.digest = got.digest;
    return fetched;
}

} // namespace builder
