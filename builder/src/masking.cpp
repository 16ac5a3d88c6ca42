#include "builder/masking.h"

#include "base/error.h"
#include "base/json.h"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <iterator>

namespace builder {
namespace {

using base::json::Value;

// Where programs look and what is built: no log can be read without them.
bool is_public(std::string_view name) {
    constexpr std::string_view names[] = {"PATH",          "LD_LIBRARY_PATH", "LIBRARY_PATH",
                                          "CPATH",         "PKG_CONFIG_PATH", "PROJECT_DIR",
                                          "BUILDPACK_NAME"};
    return std::find(std::begin(names), std::end(names), name) != std::end(names);
}

// An operator's settings (the address of a mirror, a number of threads) are what logs are read for;
// a token among them is told by its name, or is in a URL.
bool looks_secret(std::string_view name, std::string_view value) {
    constexpr std::string_view words[] = {"TOKEN", "SECRET", "PASS", "KEY", "CREDENTIAL", "AUTH"};
    std::string upper(name);
    for (auto& c : upper)
        if (c >= 'a' && c <= 'z') c = static_cast<char>(c - 32);
    const auto scheme = value.find("://");
    return std::any_of(std::begin(words), std::end(words),
                       [&](auto word) { return upper.find(word) != upper.npos; }) ||
           (scheme != value.npos && value.find('@', scheme) != value.npos);
}

// An address without a user, a token or a signature in it: who reads the log of a fetch that failed
// needs to know of what.
bool is_open_address(std::string_view name, std::string_view value) {
    return name == "BUILDPACK_URL" && value.find_first_of("?@") == value.npos;
}

void add_source(std::vector<base::Secret>& secrets, const Source& source) {
    if (const auto* commit = std::get_if<RemoteCommit>(&source)) {
        secrets.push_back(commit->token);
        secrets.push_back(commit->ssh_key);
    }
    // A signed URL is the secret that it holds.
    if (const auto* archive = std::get_if<RemoteArchive>(&source))
        if (archive->url.find_first_of("?@") != std::string::npos) {
            secrets.emplace_back(archive->url);
            if (const auto query = archive->url.find('?'); query != std::string::npos)
                secrets.emplace_back(archive->url.substr(query + 1)); // after a redirect, too
        }
}

void mask_strings(const base::SecretMask& mask, Value& value) {
    if (value.is_string()) {
        value = mask.apply(value.get_ref<const std::string&>());
    } else if (value.is_array()) {
        for (auto& entry : value) mask_strings(mask, entry);
    } else if (value.is_object()) {
        Value fresh = Value::object();
        for (auto& [name, entry] : value.items()) {
            mask_strings(mask, entry);
            fresh[mask.apply(name)] = std::move(entry);
        }
        value = std::move(fresh);
    }
}

// Not as text: a value of digits alone would take a number's place and leave no JSON.
std::string masked_json(const base::SecretMask& mask, const std::string& json) {
    auto value = base::json::parse(json, "a record of the build");
    mask_strings(mask, value);
    return base::json::render(value);
}

template <class Failure>
void mask_failure(const base::SecretMask& mask, Outcome& outcome) {
    if (auto* failure = std::get_if<Failure>(&outcome)) {
        failure->reason = mask.apply(failure->reason);
        failure->hint = mask.apply(failure->hint);
    }
}

void mask_outcome(const base::SecretMask& mask, Outcome& outcome) {
    mask_failure<Refused>(mask, outcome);
    mask_failure<Broken>(mask, outcome);
    if (auto* cancelled = std::get_if<Cancelled>(&outcome))
        cancelled->why = mask.apply(cancelled->why);
    if (auto* published = std::get_if<Published>(&outcome))
        for (auto& process : published->processes) process.command = mask.apply(process.command);
    if (auto* detected = std::get_if<Detected>(&outcome))
        for (auto& member : detected->group) member = mask.apply(member);
}

} // namespace

base::SecretMask mask_of(const Job& job) {
    std::vector<base::Secret> secrets;
    for (const auto& [name, value] : job.environment)
        if (!is_public(name) && !is_open_address(name, value) &&
            (!job.operator_variables.contains(name) || looks_secret(name, value)))
            secrets.emplace_back(value);
    add_source(secrets, job.source);
    for (const auto& [host, access] : job.registry_credentials) secrets.push_back(access.password);
    for (const auto& [binding, files] : job.bindings)
        for (const auto& [name, content] : files)
            if (name != "type" && name != "provider") secrets.emplace_back(content);
    return base::SecretMask(secrets);
}

Event masked(const base::SecretMask& mask, Event event) {
    if (mask.empty()) return event;
    if (auto* line = std::get_if<LogLine>(&event)) line->text = mask.apply(line->text);
    if (auto* record = std::get_if<Record>(&event)) record->json = masked_json(mask, record->json);
    if (auto* outcome = std::get_if<Outcome>(&event)) mask_outcome(mask, *outcome);
    return event;
}

} // namespace builder
