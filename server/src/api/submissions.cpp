#include "submissions.h"

#include "../buildpack_uri.h"

#include "apps/store.h"
#include "server/config_vars.h"

#include "base/error.h"
#include "base/log.h"
#include "base/text.h"
#include "http/url.h"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <chrono>

namespace server::api {
namespace {

using base::Error;
using base::ErrorKind;
using base::json::Value;

constexpr std::chrono::seconds full_queue_pause{30};
constexpr std::size_t longest_url = 4096;
constexpr std::size_t longest_version = 255;
constexpr std::size_t most_variables = 100; // of one build

void check_url(const std::string& url) {
    if (url.size() > longest_url || base::printable(url) != url ||
        url.find(' ') != std::string::npos)
        throw FieldError("source_url", "this is no URL of an archive");
    try {
        http::parse_url(url);
    } catch (const Error&) { // whose words hold the URL, and what is secret in it
        throw FieldError("source_url", "this is no URL of an archive",
                         "Name an http:// or https:// address without a user name in it.");
    }
}

void check_version(const std::string& version) {
    if (version.size() > longest_version || base::printable(version) != version)
        throw FieldError("version", "a version is at most 255 printable characters");
}

// What a rule refuses is the field's fault.
template <class Rule, class... Arguments>
void check(const std::string& field, Rule rule, const Arguments&... arguments) {
    try {
        rule(arguments...);
    } catch (const Error& error) {
        throw FieldError(field, error.message(), error.hint());
    }
}

// The name becomes that of a file in the build: the rules of config vars hold here too.
base::Secret parse_variable(const std::string& name, const Value& value) {
    constexpr auto field = "options.environment";
    if (!value.is_string()) throw FieldError(field, base::quoted(name) + " is not a text");
    auto text = value.get<std::string>();
    check(field, check_variable_name, name);
    check(field, check_variable_value, name, text);
    return base::Secret(std::move(text));
}

} // namespace

Wish wish_of_url(Api& api, const std::string& url, const std::string& checksum) {
    auto& uploads = api.site().uploads;
    const auto announced = checksum.empty() ? "" : receiver::parse_checksum(checksum);
    if (const auto upload = uploads.recognise(url)) {
        const auto archive = uploads.source_of(*upload);
        if (!announced.empty() && announced != upload->digest)
            throw FieldError("checksum",
                             "the upload's checksum is " + upload->digest + ", not " + announced);
        return {.source = archive, .durable = true};
    }
    check_url(url);
    return {.source = builder::RemoteArchive{url, announced}, .durable = true};
}

builder::BuildOptions parse_options(const Value& options, builder::BuildOptions parsed) {
    if (!options.is_object()) throw FieldError("options", "the options are an object");
    for (const auto& [name, value] : options.items()) {
        if (name == "buildpacks")
            parsed.buildpacks = find_texts(options, name);
        else if (name == "no_cache")
            parsed.no_cache = find_flag(options, name, false);
        else if (name == "dry_run")
            parsed.dry_run = find_flag(options, name, false);
        else if (name == "verbose")
            parsed.verbose = find_flag(options, name, false);
        else if (name != "environment")
            throw FieldError("options." + name, "there is no option " + base::quoted(name),
                             "The options are buildpacks, environment, no_cache, dry_run and "
                             "verbose.");
    }
    if (const auto it = options.find("environment"); it != options.end()) {
        if (!it->is_object())
            throw FieldError("options.environment", "the environment is an object of texts");
        if (it->size() > most_variables)
            throw FieldError("options.environment", "a build has at most 100 variables of its own");
        for (const auto& [name, value] : it->items())
            parsed.environment[name] = parse_variable(name, value);
    }
    check_buildpacks("options.buildpacks", parsed.buildpacks);
    return parsed;
}

void check_buildpacks(const std::string& field, const std::vector<std::string>& uris) {
    if (uris.size() > most_buildpacks)
        throw FieldError(field,
                         "there are at most " + std::to_string(most_buildpacks) + " buildpacks");
    for (const auto& uri : uris) check(field, check_buildpack_uri, uri);
}

apps::Build submit(Api& api, Call& call, Wish wish) {
    check_version(wish.version);
    const auto& site = api.site();
    Submission submission;
    submission.app = call.app().name;
    submission.ref = wish.ref;
    submission.commit = wish.version;
    submission.pushed_by = call.principal().name;
    submission.source = std::move(wish.source);
    submission.door = "api";
    submission.durable = wish.durable;
    submission.retry_of = std::move(wish.retry_of);
    submission.hook = std::move(wish.hook);
    submission.options = std::move(wish.options);
    if (auto key = call.head().header("idempotency-key"))
        submission.request = apps::RequestKey{call.principal().id, std::move(*key)};
    try {
        const auto live = site.queue.submit(std::move(submission));
        base::log::info(
            "a build was asked for",
            {{"build", live->id()}, {"app", call.app().name}, {"by", call.principal().name}});
        return site.store.builds().find(live->id()).value();
    } catch (const Error& error) {
        if (error.kind() != ErrorKind::limit_exceeded) throw;
        throw Busy(error.message(), full_queue_pause, error.hint());
    }
}

apps::Build cancel_build(Api& api, Call& call) {
    const auto& site = api.site();
    const auto& id = call.build().id;
    const auto& who = call.principal();
    const auto why = "it was cancelled by " +
                     (who.is_operator ? "the server's operator" : "the token " + who.name);
    const auto now = [&] { return site.store.builds().find(id).value_or(call.build()); };
    if (!site.queue.cancel(id, why))
        throw Error(ErrorKind::already_exists, "build " + id + " has ended: it is " +
                                                   std::string(apps::to_string(now().state)));
    base::log::info("a build was cancelled", {{"build", id}, {"by", who.name}});
    return now();
}

apps::Build write_log_to_its_end(Api& api, Call& call, const std::string& build) {
    const auto live = api.site().queue.find(build);
    api.write_log(call, build);
    const auto row = live ? live->ended() : std::nullopt;
    return row ? *row : api.site().store.builds().find(build).value();
}

} // namespace server::api
