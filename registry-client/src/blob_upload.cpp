#include "blob_upload.h"

#include "answer.h"

#include "base/error.h"
#include "base/log.h"
#include "base/text.h"

#include <algorithm>
#include <charconv>
#include <cstring>

namespace registry {
namespace {

constexpr std::size_t largest_least_chunk = 64u << 20; // what a registry may ask us to gather

std::optional<std::uint64_t> number(std::string_view text) {
    std::uint64_t value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
    return value;
}

// "0-99" (some say "bytes=0-99"): a hundred bytes. "0-0" is what many say of none.
std::uint64_t bytes_of_range(const http::Response& response) {
    auto range = response.header("range").value_or("0-0");
    if (range.starts_with("bytes=")) range.erase(0, 6);
    const auto dash = range.find('-');
    const auto last = dash == range.npos ? std::nullopt : number(range.substr(dash + 1));
    if (!last || range.substr(0, dash) != "0") throw BlobUpload::Lost{};
    return *last == 0 ? 0 : *last + 1;
}

bool may_be_repeated(const base::Error& error) {
    return error.kind() == base::ErrorKind::unavailable ||
           error.kind() == base::ErrorKind::timed_out;
}

} // namespace

BlobUpload::BlobUpload(Session& session, std::string uploads, std::vector<std::string> scopes,
                       const base::Stop& stop)
    : session_(session), scopes_(std::move(scopes)), stop_(stop) {
    const auto response = session_.send(
        {.method = "POST", .url = uploads, .scopes = scopes_, .doing = "begin an upload"}, stop);
    if (response.status != 202) fail(response, session_.name(), "begin an upload");
    location_ = session_.next_hop(uploads, response);
    if (const auto least = response.header("oci-chunk-min-length"))
        least_chunk_ = static_cast<std::size_t>(
            std::min<std::uint64_t>(number(*least).value_or(0), largest_least_chunk));
}

BlobUpload::~BlobUpload() {
    if (finished_) return;
    try { // the registry sweeps what is left, but not soon
        session_.send({.method = "DELETE",
                       .url = location_,
                       .scopes = scopes_,
                       .doing = "forget an upload",
                       .once = true},
                      base::Stop().within(std::chrono::seconds(5)));
    } catch (const std::exception& error) {
        base::log::debug("an upload was left behind", {{"reason", error.what()}});
    }
}

void BlobUpload::send(std::string_view chunk) {
    hash_.update(chunk);
    size_ += chunk.size();
    if (gathered_.empty() && chunk.size() >= least_chunk_) return patch(chunk);
    gathered_ += chunk;
    if (gathered_.size() < least_chunk_) return;
    patch(gathered_);
    gathered_.clear();
}

void BlobUpload::patch(std::string_view bytes) {
    const std::uint64_t start = received_;
    for (int attempt = 1; received_ < start + bytes.size(); ++attempt) {
        const bool last = attempt >= session_.attempts();
        try {
            if (try_patch(bytes.substr(static_cast<std::size_t>(received_ - start)))) return;
        } catch (const base::Error& error) {
            if (last || !may_be_repeated(error) || stop_.requested() || stop_.expired()) throw;
        }
        if (last) throw Lost{};
        session_.back_off(attempt, {}, stop_);
        // Less than it had: bytes that are ours no more. More than was sent: not our session.
        const auto there = ask_received();
        if (there < start || there > start + bytes.size()) throw Lost{};
        received_ = there;
    }
}

// False: the registry and we do not agree where to go on.
bool BlobUpload::try_patch(std::string_view rest) {
    std::size_t given = 0;
    Call call{.method = "PATCH",
              .url = location_,
              .scopes = scopes_,
              .headers = {"Content-Type: application/octet-stream",
                          "Content-Range: " + std::to_string(received_) + "-" +
                              std::to_string(received_ + rest.size() - 1)},
              .body_size = rest.size(),
              .doing = "take a part of a blob",
              .once = true};
    call.body_source = [&](char* buffer, std::size_t size) {
        const auto n = std::min(size, rest.size() - given);
        std::memcpy(buffer, rest.data() + given, n);
        given += n;
        return n;
    };
    call.body_rewind = [&] { given = 0; };
    const auto response = session_.send(call, stop_);
    if (response.status == 404) throw Lost{};
    if (response.status == 416) return false;
    if (response.status != 202 && response.status != 204)
        fail(response, session_.name(), call.doing);
    location_ = session_.next_hop(location_, response);
    received_ += rest.size();
    return true;
}

std::uint64_t BlobUpload::ask_received() {
    const auto response = session_.send(
        {.url = location_, .scopes = scopes_, .doing = "say how much of a blob it has"}, stop_);
    if (response.status == 404) throw Lost{};
    if (response.status != 204 && response.status != 202 && response.status != 200)
        fail(response, session_.name(), "say how much of a blob it has");
    if (response.header("location")) location_ = session_.next_hop(location_, response);
    return bytes_of_range(response);
}

image::Digest BlobUpload::digest() {
    if (!gathered_.empty()) patch(gathered_); // the last may be smaller
    return image::Digest(hash_.finish());
}

void BlobUpload::finish(const image::Digest& digest) {
    const auto response =
        session_.send({.method = "PUT",
                       .url = location_ + (location_.find('?') == location_.npos ? "?" : "&") +
                              "digest=" + http::percent_encode(digest.render()),
                       .scopes = scopes_,
                       .headers = {"Content-Type: application/octet-stream"},
                       .doing = "take the blob " + digest.render(),
                       .once = true},
                      stop_);
    if (response.status == 404 || response.status == 416) throw Lost{};
    if (response.status != 201) fail(response, session_.name(), "take the blob " + digest.render());
    finished_ = true;
    const auto told = response.header("docker-content-digest");
    if (told && *told != digest.render())
        throw base::Error(base::ErrorKind::invalid_input,
                          session_.name() + " took the blob " + digest.render() +
                              " for another: " + base::quoted(told->substr(0, 100)));
}

} // namespace registry
