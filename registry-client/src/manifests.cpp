#include "remote_repository.h"

#include "answer.h"
#include "headers.h"

#include "base/error.h"
#include "base/json.h"
#include "base/text.h"
#include "image/referrers.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <set>

namespace registry {
namespace {

using image::Descriptor;
using image::Digest;
using image::RawManifest;

constexpr int most_pages = 1000; // of a list that a stranger's registry hands out in pages

std::string accept_header() {
    return "Accept: " + std::string(image::media_type::manifest) + ", " +
           std::string(image::media_type::index) + ", " +
           std::string(image::media_type::docker_manifest) + ", " +
           std::string(image::media_type::docker_manifest_list);
}

// A manifest says its own type; the header is believed when it does not. Half of one (a transfer
// that ended with its connection) is no object.
std::string type_of(const http::Response& response, const std::string& place) {
    const auto parsed = base::json::parse(response.body, "the manifest that " + place + " sent");
    if (!parsed.is_object())
        throw base::Error(base::ErrorKind::invalid_input,
                          "the manifest that " + place + " sent is not an object");
    if (auto type = base::json::find_string(parsed, "mediaType")) return *type;
    const auto header = response.header("content-type").value_or("");
    return base::trim(header.substr(0, header.find(';')));
}

std::optional<std::string> next_page(const http::Response& response) {
    const auto [first, last] = response.headers.equal_range("link");
    for (auto header = first; header != last; ++header)
        if (auto next = next_link(header->second)) return next;
    return std::nullopt;
}

} // namespace

std::optional<RawManifest> RemoteRepository::read_manifest(std::string_view tag_or_digest,
                                                           const base::Stop& stop) {
    const std::string name(tag_or_digest);
    std::optional<Digest> wanted;
    if (name.find(':') != name.npos) wanted = Digest::parse(name);
    const auto response = session_.send({.url = path("/manifests/" + http::percent_encode(name)),
                                         .scopes = pull_,
                                         .headers = {accept_header()},
                                         .doing = "send the manifest " + name},
                                        stop);
    if (response.status == 404) return std::nullopt;
    if (response.status != 200) fail(response, place(), "send the manifest " + name);
    const auto digest = Digest::of(response.body);
    const auto told = response.header("docker-content-digest");
    const bool lies = told && told->starts_with("sha256:") && *told != digest.render();
    if (lies || (wanted && *wanted != digest))
        throw base::Error(base::ErrorKind::invalid_input,
                          place() + " sent another manifest than " +
                              (wanted ? wanted->render() : base::quoted(told->substr(0, 100))));
    return RawManifest{type_of(response, place()), response.body, digest};
}

bool RemoteRepository::put_manifest(const RawManifest& manifest, const std::string& name,
                                    const base::Stop& stop) {
    const auto response = session_.send({.method = "PUT",
                                         .url = path("/manifests/" + http::percent_encode(name)),
                                         .scopes = push_,
                                         .headers = {"Content-Type: " + manifest.media_type},
                                         .body = manifest.bytes,
                                         .doing = "take the manifest " + name},
                                        stop);
    if (response.status != 201) fail(response, place(), "take the manifest " + name);
    const auto told = response.header("docker-content-digest");
    if (told && *told != manifest.digest.render())
        throw base::Error(base::ErrorKind::invalid_input, place() + " stored the manifest as " +
                                                              base::quoted(told->substr(0, 100)) +
                                                              ", not as " +
                                                              manifest.digest.render());
    return response.header("oci-subject").has_value();
}

void RemoteRepository::confirm(const RawManifest& manifest, const base::Stop& stop) {
    const auto response = session_.send({.method = "HEAD",
                                         .url = path("/manifests/" + manifest.digest.render()),
                                         .scopes = push_,
                                         .headers = {accept_header()},
                                         .doing = "confirm the manifest"},
                                        stop);
    const auto told = response.header("docker-content-digest");
    if (response.status == 200 && told && *told == manifest.digest.render()) return;
    if (response.status == 200 && !told && read_manifest(manifest.digest.render(), stop)) return;
    throw base::Error(base::ErrorKind::unavailable,
                      place() + " took the manifest but does not have it: " + describe(response));
}

void RemoteRepository::write_manifest(const RawManifest& manifest, std::optional<std::string> tag,
                                      const base::Stop& stop) {
    if (Digest::of(manifest.bytes) != manifest.digest)
        throw base::Error(base::ErrorKind::internal, "a manifest does not have its digest");
    // Under a tag it is stored under its digest too, and the tag is moved last, by the registry.
    const bool lists_referrers =
        put_manifest(manifest, tag.value_or(manifest.digest.render()), stop);
    confirm(manifest, stop);
    if (!lists_referrers)
        if (const auto subject = image::subject_of(manifest))
            add_to_referrers_tag(subject->digest, manifest, stop);
}

// A list that names a manifest which is gone is refused by registries when it is written next, so
// the list goes first (distribution-spec, "Deleting Manifests").
bool RemoteRepository::remove_manifest(const Digest& digest, const base::Stop& stop) {
    const auto raw = read_manifest(digest.render(), stop);
    if (!raw) return false;
    if (const auto subject = image::subject_of(*raw))
        take_from_referrers_tag(subject->digest, digest, stop);
    const auto response = session_.send({.method = "DELETE",
                                         .url = path("/manifests/" + digest.render()),
                                         .scopes = delete_,
                                         .doing = "delete a manifest"},
                                        stop);
    if (response.status == 404) return false;
    if (response.status == 405)
        throw base::Error(base::ErrorKind::denied,
                          session_.name() + " takes no deletes: " + describe(response),
                          "Debian's docker-registry wants storage.delete.enabled: true.");
    if (response.status != 202 && response.status != 200)
        fail(response, place(), "delete a manifest");
    return true;
}

std::vector<std::string> RemoteRepository::list_tags(const base::Stop& stop) {
    std::set<std::string> tags;
    std::optional<std::string> next = path("/tags/list");
    for (int page = 0; next && page < most_pages; ++page) {
        const auto response =
            session_.send({.url = *next, .scopes = pull_, .doing = "list the tags"}, stop);
        if (response.status == 404) return {};
        if (response.status != 200) fail(response, place(), "list the tags");
        const auto list = base::json::parse(response.body, "the list of tags");
        const auto found = list.find("tags");
        if (found != list.end() && found->is_array())
            for (const auto& tag : *found)
                if (tag.is_string()) tags.insert(tag.get<std::string>());
        next = next_page(response);
        if (next) next = session_.resolve(path("/tags/list"), *next);
    }
    return {tags.begin(), tags.end()};
}

std::vector<image::Referrer> RemoteRepository::list_referrers(const Digest& subject,
                                                              std::string_view artifact_type,
                                                              const base::Stop& stop) {
    std::vector<image::Referrer> found;
    const auto start = path("/referrers/" + subject.render());
    std::optional<std::string> next = start;
    if (!artifact_type.empty()) *next += "?artifactType=" + http::percent_encode(artifact_type);
    for (int page = 0; next && page < most_pages; ++page) {
        const auto response = session_.send({.url = *next,
                                             .scopes = pull_,
                                             .headers = {accept_header()},
                                             .doing = "list the referrers"},
                                            stop);
        if (response.status == 404) { // it knows no such list
            found = read_referrers_tag(subject, stop);
            break;
        }
        if (response.status != 200) fail(response, place(), "list the referrers");
        for (auto& referrer : image::parse_referrers(response.body))
            found.push_back(std::move(referrer));
        next = next_page(response);
        if (next) next = session_.resolve(start, *next);
    }
    // A registry may leave the filter to us.
    if (!artifact_type.empty())
        std::erase_if(found, [&](const auto& one) { return one.artifact_type != artifact_type; });
    return found;
}

std::vector<image::Referrer> RemoteRepository::read_referrers_tag(const Digest& subject,
                                                                  const base::Stop& stop) {
    const auto list = read_manifest(image::referrers_tag(subject), stop);
    if (!list) return {};
    return image::parse_referrers(list->bytes);
}

// Reads, adds, writes: the specification knows no better, and says that a race may lose an entry
// between programs. Between our threads it cannot.
void RemoteRepository::add_to_referrers_tag(const Digest& subject, const RawManifest& manifest,
                                            const base::Stop& stop) {
    const auto held = referrers_.lock();
    auto list = read_referrers_tag(subject, stop);
    const auto is_this = [&](const auto& one) { return one.descriptor.digest == manifest.digest; };
    if (std::any_of(list.begin(), list.end(), is_this)) return;
    list.push_back(image::referrer_of(manifest));
    const auto index = image::render_referrers(list);
    put_manifest(index, image::referrers_tag(subject), stop);
}

void RemoteRepository::take_from_referrers_tag(const Digest& subject, const Digest& manifest,
                                               const base::Stop& stop) {
    const auto held = referrers_.lock();
    auto list = read_referrers_tag(subject, stop);
    const auto is_this = [&](const auto& one) { return one.descriptor.digest == manifest; };
    if (std::erase_if(list, is_this) == 0) return;
    put_manifest(image::render_referrers(list), image::referrers_tag(subject), stop);
}

} // namespace registry
