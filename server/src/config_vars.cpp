#include "server/config_vars.h"

#include "apps/sealed_texts.h"

#include "base/error.h"
#include "base/log.h"
#include "base/text.h"

#include <algorithm>
#include <array>
#include <set>

namespace server {
namespace {

using Action = ConfigVarChange::Action;
using apps::VariableUse;
using base::Error;
using base::ErrorKind;

constexpr std::size_t longest_name = 128;
constexpr std::size_t longest_value = 32u << 10;
constexpr std::size_t most_variables = 512;
constexpr std::size_t most_bytes = 64u << 10; // names and values of one app

// Set for every build by Slipway or the buildpacks; a value of the user's would be lost or break
// them. PATH and its kin are joined with what is there, so they are the user's to set.
constexpr std::array<std::string_view, 9> reserved_names{"HOME",
                                                         "PWD",
                                                         "OLDPWD",
                                                         "SHLVL",
                                                         "IFS",
                                                         "_",
                                                         "STACK",
                                                         "SOURCE_VERSION",
                                                         "SERVICE_BINDING_ROOT"};
constexpr std::array<std::string_view, 2> reserved_prefixes{"CNB_", "SLIPWAY_"};

bool is_name(std::string_view name) {
    const auto letter = [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
    };
    return !name.empty() && letter(name.front()) &&
           std::all_of(name.begin(), name.end(),
                       [&](char c) { return letter(c) || (c >= '0' && c <= '9'); });
}

std::string context_of(std::string_view app, std::string_view name) {
    return "app/" + std::string(app) + "/" + std::string(name);
}

void check(const ConfigVarChange& change) {
    check_variable_name(change.name);
    if (change.action == Action::set) check_variable_value(change.name, change.value.reveal());
}

// Of the text that was sealed: beside it there are a nonce and a tag, of 28 bytes.
std::size_t plain_size(const std::string& sealed) {
    const auto body = std::string_view(sealed).substr(sealed.rfind(':') + 1);
    const auto padding = static_cast<std::size_t>(std::count(body.begin(), body.end(), '='));
    const auto bytes = body.size() / 4 * 3 - padding;
    return bytes - std::min<std::size_t>(bytes, 28);
}

void check_sums(const std::map<std::string, apps::Variable>& variables) {
    std::size_t bytes = 0;
    for (const auto& [name, variable] : variables)
        bytes += name.size() + plain_size(variable.sealed);
    if (variables.size() > most_variables)
        throw Error(ErrorKind::limit_exceeded,
                    "an app has at most " + std::to_string(most_variables) + " config vars");
    if (bytes > most_bytes)
        throw Error(ErrorKind::limit_exceeded,
                    "the config vars of an app hold at most " + base::human_bytes(most_bytes) +
                        " together, these " + base::human_bytes(bytes),
                    "Keep files in the app or in a service, and their address here.");
}

} // namespace

void check_variable_name(std::string_view name) {
    if (name.size() > longest_name)
        throw Error(ErrorKind::invalid_input, "the name of a config var has at most " +
                                                  std::to_string(longest_name) + " characters");
    if (!is_name(name))
        throw Error(ErrorKind::invalid_input,
                    base::quoted(name) + " cannot be the name of a config var",
                    "A name is letters, digits and _, and does not begin with a digit.");
    const bool reserved =
        std::find(reserved_names.begin(), reserved_names.end(), name) != reserved_names.end() ||
        std::any_of(reserved_prefixes.begin(), reserved_prefixes.end(),
                    [&](std::string_view prefix) { return name.starts_with(prefix); });
    if (reserved)
        throw Error(ErrorKind::invalid_input,
                    std::string(name) + " is set by the platform and cannot be a config var",
                    "Choose another name.");
}

void check_variable_value(std::string_view name, std::string_view value) {
    if (value.find('\0') != std::string_view::npos)
        throw Error(ErrorKind::invalid_input,
                    "the value of " + std::string(name) + " has a zero byte in it",
                    "Encode it, for instance as base64.");
    if (value.size() > longest_value)
        throw Error(ErrorKind::limit_exceeded, "the value of " + std::string(name) +
                                                   " is longer than " +
                                                   base::human_bytes(longest_value));
}

std::vector<apps::Variable> ConfigVars::list(std::string_view app) {
    return store_.variables().list(app);
}

std::vector<ConfigVar> ConfigVars::reveal(std::string_view app) {
    std::vector<ConfigVar> opened;
    for (const auto& variable : list(app))
        opened.push_back(
            {variable.name,
             base::while_doing(
                 "opening the config var " + variable.name + " of " + std::string(app),
                 [&] { return keys_.unseal(variable.sealed, context_of(app, variable.name)); }),
             variable.use, variable.changed});
    return opened;
}

std::map<std::string, std::string> ConfigVars::for_build(std::string_view app) {
    std::map<std::string, std::string> environment;
    for (const auto& variable : reveal(app))
        if (variable.use != VariableUse::run)
            environment.emplace(variable.name, variable.value.reveal());
    return environment;
}

// One value that does not open must not keep its owner from setting it anew: nothing is opened
// here.
void ConfigVars::change(const std::string& app, const std::vector<ConfigVarChange>& changes) {
    for (const auto& one : changes) check(one);
    const auto writing = writing_.lock();
    std::map<std::string, apps::Variable> all, set;
    std::set<std::string> unset;
    for (auto& variable : list(app)) all.emplace(variable.name, variable);
    for (const auto& one : changes) {
        if (one.action == Action::unset) {
            all.erase(one.name);
            set.erase(one.name);
            unset.insert(one.name);
            continue;
        }
        if (one.action == Action::change_use && !all.contains(one.name))
            throw Error(ErrorKind::not_found,
                        "there is no config var " + one.name + " whose use could change",
                        "Give it a value too.");
        auto& variable = all[one.name];
        variable.name = one.name;
        if (one.action == Action::set)
            variable.sealed = keys_.seal(one.value.reveal(), context_of(app, one.name));
        variable.use = one.use.value_or(variable.use);
        variable.changed = apps::now_milliseconds();
        set[one.name] = variable;
        unset.erase(one.name);
    }
    check_sums(all);
    std::vector<apps::Variable> rows;
    for (auto& [name, row] : set) rows.push_back(std::move(row));
    store_.variables().change(app, rows, {unset.begin(), unset.end()});
}

Rotation ConfigVars::rotate() {
    {
        const auto writing = writing_.lock();
        keys_.rotate();
    }
    base::log::info("the key of secrets was rotated");
    return finish_rotation();
}

// What this process sealed before the key changed is written before this looks; what another server
// of the database did may be written after it was listed: only a look that finds nothing lets the
// old keys go.
Rotation ConfigVars::finish_rotation() {
    Rotation rotation;
    const auto writing = writing_.lock();
    const auto all_written = keys_.all();
    for (int looks = 0; looks < 3; ++looks) {
        const auto resealed = reseal_stale();
        rotation.resealed += resealed;
        if (resealed > 0) continue;
        const auto all = apps::SealedTexts(store_.database()).list();
        rotation.forgot_old = std::none_of(
            all.begin(), all.end(), [&](const auto& text) { return keys_.is_stale(text.sealed); });
        break;
    }
    if (rotation.forgot_old) keys_.forget_old();
    return rotation;
}

std::size_t ConfigVars::reseal_stale() {
    apps::SealedTexts texts(store_.database());
    std::size_t resealed = 0;
    for (const auto& text : texts.list()) {
        if (!keys_.is_stale(text.sealed)) continue;
        try {
            const auto plain = keys_.unseal(text.sealed, text.context);
            if (texts.replace(text, keys_.seal(plain.reveal(), text.context))) ++resealed;
        } catch (const Error& error) {
            // It stays as it is, and so do the keys: an operator may bring back the one it needs.
            if (error.kind() != ErrorKind::denied) throw;
            base::log::error("a sealed text does not open",
                             {{"of", text.context}, {"reason", error.describe()}});
        }
    }
    return resealed;
}

} // namespace server
