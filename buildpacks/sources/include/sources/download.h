// A file from a URL that a stranger named, onto disk while it comes (fetcher.h, Access): each
// redirect is checked as the first address was, and a credential stays with its host. Any thread.
#pragma once

#include "sources/fetcher.h"

#include "base/fd.h"
#include "base/stop.h"
#include "http/client.h"

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

namespace sources {

struct DownloadRequest {
    std::string url;                // http or https; no user name in it
    std::string authorization = {}; // value of that header; goes to the URL's own origin alone
    std::vector<std::string> headers = {}; // "Name: value", to every server on the way
};

struct Downloaded {
    http::Response response; // of the last hop, whatever its status: the caller judges
    base::UniqueFd file;     // nameless, at its start; empty for what is not a 2xx
    std::string digest;      // of its bytes, 64 hex digits
    std::uint64_t bytes = 0;
};

// Into `directory`. Throws Error{limit_exceeded} past access.most_bytes, Error{denied} for a host
// that may not be called and for a way from https to http, Error{unavailable} after five redirects,
// and what the client throws.
Downloaded download(const DownloadRequest& request, const Access& access,
                    const std::filesystem::path& directory, const base::Stop& stop);

} // namespace sources
