#include "archives.h"

#include "hosts.h"
#include "local.h"
#include "remote.h"

#include "base/error.h"
#include "base/json.h"
#include "base/temp_dir.h"
#include "base/text.h"
#include "image/unpack.h"
#include "sources/download.h"

#include <nlohmann/json.hpp>

#include <fcntl.h>
#include <unistd.h>

namespace sources {
namespace {

namespace fs = std::filesystem;
using base::Error;
using base::ErrorKind;
using base::json::Value;

constexpr std::uint64_t most_entries = 200'000;

// What is known of a URL from the last time; an empty object when nothing is.
Value recall(const fs::path& file) {
    if (fs::exists(file)) try {
            return base::json::parse(base::read_file(file), file.string());
        } catch (const Error&) { // damaged on the disk: asked for again
        }
    return Value::object();
}

void rewind(int file) {
    if (::lseek(file, 0, SEEK_SET) != 0) base::throw_errno("could not rewind an archive");
}

std::vector<std::string> validators(const Value& known) {
    std::vector<std::string> headers;
    for (const auto& [header, name] :
         {std::pair("If-None-Match: ", "etag"), std::pair("If-Modified-Since: ", "modified")})
        if (const auto value = base::json::find_string(known, name))
            headers.push_back(header + *value);
    return headers;
}

bool is_cnb_file(const std::string& name) {
    return name.substr(0, name.find_first_of("?#")).ends_with(".cnb");
}

// The same bytes are another tree when they are unpacked in the other way: whoever names the one
// must not decide about the other's.
std::string tree_name(const std::string& digest, const std::string& archive) {
    return is_cnb_file(archive) ? digest + "-layout" : digest;
}

} // namespace

// Validators are worth nothing without what they are of.
Value Archives::recall_kept(const std::string& url) const {
    auto known = recall(store_.remembered(key_of(url)));
    const auto digest = base::json::find_string(known, "digest").value_or("none");
    return store_.find(tree_name(digest, url)) ? known : Value::object();
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

    const auto name = without_credentials(url);
    const auto last_time = recall_kept(url);
    const auto got =
        download({url, authorization, validators(last_time)}, access_, store_.incoming(), stop);
    if (got.response.status == 304) {
        const auto digest = base::json::get_string(last_time, "digest");
        if (const auto tree = store_.find(tree_name(digest, url))) {
            on_line_("Using " + name + ", sha256 " + digest.substr(0, 12));
            return {*tree, digest};
        }
    }
    if (got.response.status != 200)
        throw Error(got.response.status >= 500 ? ErrorKind::unavailable : ErrorKind::not_found,
                    "there is no archive at " + name + ": its server answers " +
                        std::to_string(got.response.status));
    on_line_("Downloaded " + name + ", " + base::human_bytes(got.bytes) + ", sha256 " +
             got.digest.substr(0, 12));
    auto unpacked = unpack(got.file.get(), name, stop);
    Value known{{"digest", got.digest}};
    if (const auto etag = got.response.header("etag")) known["etag"] = *etag;
    if (const auto modified = got.response.header("last-modified")) known["modified"] = *modified;
    base::replace_file(store_.remembered(key_of(url)), base::json::render(known));
    return unpacked;
}

UnpackedArchive Archives::unpack(int file, const std::string& name, const base::Stop& stop) const {
    base::Sha256 hash;
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
    const auto digest = base::to_hex(hash.finish());
    auto directory = store_.obtain(
        tree_name(digest, name),
        [&](const fs::path& tree) {
            rewind(file);
            try {
                const image::UnpackLimits limits{.bytes = access_.most_bytes,
                                                 .entries = most_entries};
                // pack gives the names in a .cnb file a leading slash, which layers may have.
                if (is_cnb_file(name))
                    image::unpack_layer(image::bytes_of_file(file), tree, image::LayersBelow{},
                                        limits, stop);
                else
                    image::unpack_source(
                        [&](char* into, std::size_t most) {
                            return base::read_some(file, into, most);
                        },
                        tree, limits, image::RootDirectory::strip_single, stop);
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
