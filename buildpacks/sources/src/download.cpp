#include "sources/download.h"

#include "hosts.h"

#include "base/error.h"
#include "base/sha256.h"
#include "base/text.h"
#include "sources/uri.h"

#include <fcntl.h>
#include <unistd.h>

namespace sources {
namespace {

using base::Error;
using base::ErrorKind;

constexpr int most_redirects = 5;

bool is_redirect(int status) {
    return status == 301 || status == 302 || status == 303 || status == 307 || status == 308;
}

class Way {
  public:
    Way(const DownloadRequest& request, const Access& access,
        const std::filesystem::path& directory)
        : request_(request), access_(access), url_(request.url),
          authorization_(request.authorization),
          file_(base::open_file(directory, O_RDWR | O_TMPFILE, 0600)) {}

    // One request; answers whether it led elsewhere.
    bool follow(const base::Stop& stop) {
        const auto host = http::parse_url(url_);
        checked_addresses(access_, host); // for its message; the client checks what it connects to
        http::Client client({.ca_file = access_.ca_file,
                             .allow_address = address_check(access_, host.host, host.port)});
        http::Request asked{.url = url_, .headers = request_.headers};
        if (!authorization_.empty()) asked.headers.push_back("Authorization: " + authorization_);
        asked.sink = [this](std::string_view bytes) { take(bytes); };
        response_ = client.send(asked, stop);
        if (!is_redirect(response_.status)) return false;
        auto target = http::resolve(url_, response_.header("location").value_or(""));
        const auto next = http::parse_url(target);
        if (host.scheme == "https" && next.scheme == "http")
            throw Error(ErrorKind::denied, host.origin() + " leads from https to http: " +
                                               base::quoted(without_credentials(target)));
        if (next.origin() != host.origin()) authorization_.clear();
        url_ = std::move(target);
        return true;
    }

    Downloaded finish() {
        Downloaded downloaded{.response = std::move(response_)};
        const int status = downloaded.response.status;
        if (status < 200 || status >= 300) return downloaded;
        if (::lseek(file_.get(), 0, SEEK_SET) != 0) base::throw_errno("could not read a download");
        downloaded.file = std::move(file_);
        downloaded.digest = base::to_hex(hash_.finish());
        downloaded.bytes = bytes_;
        return downloaded;
    }

  private:
    void take(std::string_view bytes) {
        bytes_ += bytes.size();
        if (bytes_ > access_.most_bytes)
            throw Error(ErrorKind::limit_exceeded,
                        "the archive " + without_credentials(request_.url) + " is larger than " +
                            base::human_bytes(access_.most_bytes));
        hash_.update(bytes);
        base::write_all(file_.get(), bytes);
    }

    const DownloadRequest& request_;
    const Access& access_;
    std::string url_; // of this hop
    std::string authorization_;
    base::UniqueFd file_;
    base::Sha256 hash_;
    std::uint64_t bytes_ = 0;
    http::Response response_;
};

} // namespace

Downloaded download(const DownloadRequest& request, const Access& access,
                    const std::filesystem::path& directory, const base::Stop& stop) {
    Way way(request, access, directory);
    for (int hops = 0; way.follow(stop); ++hops)
        if (hops == most_redirects)
            throw Error(ErrorKind::unavailable,
                        without_credentials(request.url) + " leads elsewhere without end");
    return way.finish();
}

} // namespace sources
