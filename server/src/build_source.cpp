#include "build_source.h"

#include "base/error.h"
#include "http/url.h"

namespace server {
namespace {

std::string context_of(const apps::Build& row) {
    return "source/" + row.id;
}

const base::KeyRing& need(const base::KeyRing* keys) {
    if (keys) return *keys;
    throw base::Error(base::ErrorKind::unavailable,
                      "the server has no key to seal the build's source with");
}

} // namespace

bool has_sealed_part(const builder::Source& source) noexcept {
    return std::holds_alternative<builder::RemoteArchive>(source);
}

void write_source(const builder::Source& source, const base::KeyRing* keys, apps::Build& row) {
    row.source = builder::render_source(source);
    row.sealed_source.clear();
    const auto* remote = std::get_if<builder::RemoteArchive>(&source);
    if (!remote) return;
    row.sealed_source = need(keys).seal(remote->url, context_of(row));
    row.source = builder::render_source(
        builder::RemoteArchive{http::without_secrets(remote->url), remote->checksum});
}

builder::Source read_source(const apps::Build& row, const base::KeyRing* keys) {
    auto source = builder::parse_source(row.source);
    if (auto* remote = std::get_if<builder::RemoteArchive>(&source);
        remote && !row.sealed_source.empty())
        remote->url = need(keys).unseal(row.sealed_source, context_of(row)).reveal();
    return source;
}

void seal_open_sources(apps::Builds& builds, const base::KeyRing& keys) {
    const auto kept = keys.keep();
    for (auto& row : builds.list_open_sources()) {
        write_source(builder::parse_source(row.source), &keys, row);
        builds.replace_source(row);
    }
}

} // namespace server
