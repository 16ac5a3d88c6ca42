#include "gather.h"

#include "images.h"
#include "site.h"

#include "base/error.h"
#include "base/text.h"
#include "image/reference.h"
#include "sources/fetcher.h"

#include <nlohmann/json.hpp>

namespace cli {
namespace {

namespace fs = std::filesystem;
using base::Error;
using base::ErrorKind;
using base::json::Value;

// The file may name folders beside its own, which the fetcher takes as absolute paths alone.
sources::Uri locate(sources::Uri uri, const fs::path& folder) {
    const auto absolute = [&](fs::path& path) { path = fs::weakly_canonical(folder / path); };
    if (auto* found = std::get_if<sources::Folder>(&uri)) absolute(found->path);
    if (auto* found = std::get_if<sources::ArchiveFile>(&uri)) absolute(found->path);
    return uri;
}

void check_expected(const packages::Source& source, const buildpacks::OrderElement& found) {
    const bool same_id = source.id.empty() || source.id == found.id;
    const bool same_version = source.version.empty() || source.version == found.version;
    if (same_id && same_version) return;
    const buildpacks::OrderElement expected{source.id.empty() ? found.id : source.id,
                                            source.version};
    throw Error(ErrorKind::invalid_input,
                source.where + ": this should be " + base::quoted(expected.full_name()) + ", but " +
                    base::quoted(source.uri) + " holds " + base::quoted(found.full_name()));
}

sources::FetcherSettings fetcher_settings(const fs::path& folder, const fs::path& scratch,
                                          registry::Settings registry) {
    sources::FetcherSettings settings;
    settings.store = scratch / "sources";
    settings.app = folder;
    settings.work = scratch / "work";
    settings.folders = sources::FetcherSettings::Folders::any;
    settings.access.hosts = sources::Access::Hosts::any;
    settings.registry = std::move(registry);
    return settings;
}

// Of each registry that an image is named of.
registry::Settings all_credentials(const std::vector<sources::Uri>& uris, const Value& server) {
    registry::Settings settings;
    for (const auto& uri : uris)
        if (const auto* name = std::get_if<sources::ImageName>(&uri)) {
            const auto host = image::Reference::parse(name->reference).registry;
            const auto own = registry_settings(server, host);
            settings.insecure = own.insecure;
            for (const auto& [where, credential] : own.credentials)
                settings.credentials.insert_or_assign(where, credential);
        }
    return settings;
}

} // namespace

void say(const Context& context, const std::string& line) {
    if (!context.json) print_line(line);
}

Value ask_registry(const Context& context) {
    try {
        return server_info(context);
    } catch (const Error&) {
        return {{"registry_insecure", Value::array()}};
    }
}

Gathered gather(const Context& context, const std::vector<packages::Source>& wanted,
                const fs::path& folder, const fs::path& scratch, const Value& server) {
    std::vector<sources::Uri> uris;
    for (const auto& source : wanted)
        base::while_doing("reading " + source.where, [&] {
            uris.push_back(locate(sources::parse_uri(source.uri, sources::Dialect::pack), folder));
        });
    auto settings = fetcher_settings(folder, scratch, all_credentials(uris, server));
    fs::create_directories(settings.work);
    sources::Fetcher fetcher(std::move(settings), [&](const std::string& line) {
        say(context, "       " + base::printable(line));
    });
    Gathered gathered;
    for (std::size_t i = 0; i < wanted.size(); ++i) {
        const auto fetched = base::while_doing("reading " + wanted[i].where, [&] {
            return fetcher.fetch({wanted[i].uri, uris[i]}, gathered.catalog, context.interrupted);
        });
        check_expected(wanted[i], fetched.element);
        if (i == 0) gathered.main = fetched.element;
        say(context,
            "       " + fetched.element.full_name() + " from " + base::printable(fetched.pinned));
    }
    return gathered;
}

std::string publish(const Context& context, const packages::WrittenImage& written,
                    const packages::BaseImage& base, const std::string& reference,
                    const Value& server) {
    const auto target = image::Reference::parse(reference);
    if (target.digest)
        throw Error(ErrorKind::invalid_input,
                    base::quoted(reference) + " has a digest, which is not known before",
                    "Name a tag.");
    const auto repository = registry::open_repository(target.registry, target.repository,
                                                      registry_settings(server, target.registry));
    const auto digest = packages::store_image(written, base, *repository,
                                              target.tag.value_or("latest"), context.interrupted);
    return target.with_digest(digest).render();
}

} // namespace cli
