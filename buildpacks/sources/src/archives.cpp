#include "archives.h"

#include "hosts.h"
#include "local.h"
#include "remote.h"

#include "base/error.h"
#include "base/json.h"
#include "base/temp_dir.h"
#include "base/text.h"
#include "http/client.h"
#include "image/unpack.h"

#include <nlohmann/json.hpp>

#include <fcntl.h>
#include <unistd.h>

namespace sources {
namespace {

namespace fs = std::filesystem;
using base::Error;
using base::ErrorKind;
using base::json::Value;

constexpr int most_redirects = 5;
constexpr std::uint64_t most_entries = 200'000;

// What is known of a URL from the last time; an empty object when nothing is.
Value recall(const fs::path& file) {
    if (fs::exists(file)) try {
            return base::json::parse(base::read_file(file), file.string());
        } catch (const Error&) { // damaged on the disk: asked for again
        }
    return Value::object();
}

bool is_redirect(int status) {
    return status == 301 || status == 302 || status == 303 || status == 307 || status == 308;
}

void rewind(int file) {
    if (::lseek(file, 0, SEEK_SET) != 0) base::throw_errno("could not rewind an archive");
}

bool is_cnb_file(const std::string& name) {
    return name.substr(0, name.find_first_of("?#")).ends_with(".cnb");
}

} // namespace

struct Archives::Download {
    std::string url; // of this hop
    std::string authorization;
    Value known;
    base::UniqueFd file; // nameless
    image::Sha256 hash;
    std::uint64_t bytes = 0;
    http::Response response;
};

// One request; answers whether it led elsewhere.
bool Archives::follow(Download& download, const base::Stop& stop) const {
    const auto host = http::parse_url(download.url);
    checked_addresses(access_, host); // for its message; the client checks what it connects to
    http::Client client({.ca_file = access_.ca_file,
                         .allow_address = address_check(access_, host.host, host.port)});
    http::Request request{.url = download.url};
    for (const auto& [header, name] :
         {std::pair("If-None-Match: ", "etag"), std::pair("If-Modified-Since: ", "modified")})
        if (const auto value = base::json::find_string(download.known, name))
            request.headers.push_back(header + *value);
    if (!download.authorization.empty())
        request.headers.push_back("Authorization: " + download.authorization);
    request.sink = [&](std::string_view bytes) {
        download.bytes += bytes.size();
        if (download.bytes > access_.most_bytes)
            throw Error(ErrorKind::limit_exceeded,
                        "the archive " + without_credentials(download.url) + " is larger than " +
                            base::human_bytes(access_.most_bytes));
        download.hash.update(bytes);
        base::write_all(download.file.get(), bytes);
    };
    download.response = client.send(request, stop);
    if (!is_redirect(download.response.status)) return false;
    const auto location = download.response.header("location").value_or("");
    auto target = http::resolve(download.url, location);
    const auto next = http::parse_url(target);
    if (host.scheme == "https" && next.scheme == "http")
        throw Error(ErrorKind::denied, host.origin() + " leads from https to http: " +
                                           base::quoted(without_credentials(target)));
    if (next.origin() != host.origin()) download.authorization.clear();
    download.url = std::move(target);
    return true;
}

Archives::Download Archives::download(const std::string& url, const std::string& authorization,
                                      const base::Stop& stop) const {
    Download download{.url = url, .authorization = authorization};
    download.file = base::open_file(store_.incoming(), O_RDWR | O_TMPFILE, 0600);
    download.known = recall(store_.remembered(key_of(url)));
    // Validators are worth nothing without what they are of.
    if (!store_.find(base::json::find_string(download.known, "digest").value_or("none")))
        download.known = Value::object();
    for (int hops = 0; follow(download, stop); ++hops)
        if (hops == most_redirects)
            throw Error(ErrorKind::unavailable,
                        without_credentials(url) + " leads elsewhere without end");
    return download;
}

UnpackedArchive Archives::fetch(const ArchiveUrl& archive, const base::Stop& stop) const {
    const auto scheme = archive.url.find("://") + 3;
    const auto end = std::min(archive.url.find_first_of("/?#", scheme), archive.url.size());
    const auto at = archive.url.substr(0, end).rfind('@');
    const bool has_user = at != std::string::npos && at >= scheme;
    const auto url =
        has_user ? archive.url.substr(0, scheme) + archive.url.substr(at + 1) : archive.url;
    const auto authorization =
        has_user ? basic_authorization(archive.url.substr(scheme, at - scheme)) : "";

    const auto shown = without_credentials(url);
    auto got = download(url, authorization, stop);
    if (got.response.status == 304) {
        const auto digest = base::json::get_string(got.known, "digest");
        if (const auto tree = store_.find(digest)) {
            on_line_("Using " + shown + ", sha256 " + digest.substr(0, 12));
            return {*tree, digest};
        }
    }
    if (got.response.status != 200)
        throw Error(got.response.status >= 500 ? ErrorKind::unavailable : ErrorKind::not_found,
                    "there is no archive at " + shown + ": its server answers " +
                        std::to_string(got.response.status));
    const auto digest = got.hash.finish().hex();
    on_line_("Downloaded " + shown + ", " + base::human_bytes(got.bytes) + ", sha256 " +
             digest.substr(0, 12));
    rewind(got.file.get());
    auto unpacked = unpack(got.file.get(), shown, stop);
    Value known{{"digest", digest}};
    if (const auto etag = got.response.header("etag")) known["etag"] = *etag;
    if (const auto modified = got.response.header("last-modified")) known["modified"] = *modified;
    base::replace_file(store_.remembered(key_of(url)), base::json::render(known));
    return unpacked;
}

UnpackedArchive Archives::unpack(int file, const std::string& name, const base::Stop& stop) const {
    image::Sha256 hash;
    std::vector<char> buffer(256u << 10);
    std::uint64_t size = 0;
    while (const auto n = base::read_some(file, buffer.data(), buffer.size())) {
        stop.throw_if_over("reading an archive");
        size += n;
        if (size > access_.most_bytes)
            throw Error(ErrorKind::limit_exceeded, base::quoted(name) + " is larger than " +
                                                       base::human_bytes(access_.most_bytes));
        hash.update({buffer.data(), n});
    }
    const auto digest = hash.finish().hex();
    auto directory = store_.obtain(
        digest,
        [&](const fs::path& tree) {
            rewind(file);
            try {
                const auto bytes = [&](char* into, std::size_t most) {
                    return base::read_some(file, into, most);
                };
                const image::UnpackLimits limits{.bytes = access_.most_bytes,
                                                 .entries = most_entries};
                // pack gives the names in a .cnb file a leading slash, which layers may have.
                if (is_cnb_file(name))
                    image::unpack_layer(bytes, tree, limits, stop);
                else
                    image::unpack_source(bytes, tree, limits, image::RootDirectory::strip_single,
                                         stop);
                make_programs_executable(tree);
            } catch (const Error& error) {
                throw Error(error.kind(), base::quoted(name) + ": " + error.message(),
                            error.hint());
            }
        },
        stop);
    return {std::move(directory), digest};
}

} // namespace sources
