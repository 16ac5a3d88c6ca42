#include "authentication.h"

#include "answer.h"
#include "base64.h"
#include "challenge.h"
#include "token_answer.h"

#include "base/error.h"
#include "base/text.h"

namespace registry {
namespace {

constexpr std::size_t longest_token_answer = 64u << 10;
constexpr auto life_of_ours = std::chrono::seconds(55); // of a minute

std::string basic(const Credential& credential) {
    return "Basic " + encode_base64(credential.user + ":" + credential.password.reveal());
}

std::string key_of(const std::vector<std::string>& scopes) {
    std::string key;
    for (const auto& scope : scopes) key += scope + " ";
    return key;
}

} // namespace

Authentication::Authentication(http::Client& client, http::Url registry,
                               std::optional<Credential> credential, MakeToken make_token)
    : client_(client), registry_(std::move(registry)), credential_(std::move(credential)),
      make_token_(std::move(make_token)) {}

std::string Authentication::authorization(const std::vector<std::string>& scopes) {
    auto state = state_.lock();
    if (state->basic) return basic(*credential_);
    const auto key = key_of(scopes);
    const auto now = std::chrono::steady_clock::now();
    auto found = state->tokens.find(key);
    if (found == state->tokens.end() || found->second.expires < now) {
        if (!make_token_) return {};
        found = state->tokens.insert_or_assign(key, Token{make_token_(scopes), now + life_of_ours})
                    .first;
    }
    return "Bearer " + found->second.value;
}

void Authentication::refused(const http::Response& response) const {
    const std::string host = registry_.origin();
    if (credential_)
        throw base::Error(base::ErrorKind::unauthenticated,
                          host + " refused the credentials of " + base::quoted(credential_->user) +
                              ": " + describe(response),
                          "Log in again, or ask for the right to this repository.");
    throw base::Error(base::ErrorKind::unauthenticated,
                      host + " wants a login: " + describe(response),
                      "Give the registry's credentials in the configuration, or use docker login.");
}

void Authentication::answer(const http::Response& response, const std::vector<std::string>& scopes,
                            const std::string& used, const base::Stop& stop) {
    // Another thread may have renewed it meanwhile.
    if (const auto now = authorization(scopes); !now.empty() && now != used) return;
    std::vector<Challenge> challenges;
    const auto [first, last] = response.headers.equal_range("www-authenticate");
    for (auto header = first; header != last; ++header)
        for (auto& challenge : parse_challenges(header->second))
            challenges.push_back(std::move(challenge));
    for (const auto& challenge : challenges) {
        if (challenge.scheme != "bearer" || !challenge.parameters.contains("realm")) continue;
        Token token = fetch_token(challenge.parameters, scopes, stop);
        state_.lock()->tokens[key_of(scopes)] = std::move(token);
        return;
    }
    for (const auto& challenge : challenges) {
        if (challenge.scheme != "basic" || !credential_ || used.starts_with("Basic ")) continue;
        state_.lock()->basic = true;
        return;
    }
    refused(response);
}

http::Url Authentication::check_realm(const std::string& realm) const {
    const auto refuse = [&](const char* why) {
        throw base::Error(base::ErrorKind::denied,
                          registry_.origin() + " sends its users to the token server " +
                              base::quoted(realm.substr(0, 200)) + ", which " + why);
    };
    const http::Url url = http::parse_url(realm);
    if (url.scheme != "https" && registry_.scheme == "https") refuse("does not use https");
    if (url.is_internal() && url.host != registry_.host) refuse("is an internal address");
    return url;
}

Authentication::Token
Authentication::fetch_token(const std::map<std::string, std::string>& challenge,
                            const std::vector<std::string>& scopes, const base::Stop& stop) {
    const std::string& realm = challenge.at("realm");
    const http::Url url = check_realm(realm);
    const bool may_tell = url.scheme == "https" || url.host == registry_.host;

    std::vector<std::pair<std::string, std::string>> fields;
    if (const auto found = challenge.find("service"); found != challenge.end())
        fields.emplace_back("service", found->second);
    // Ours say what we need; a scope of another kind is the registry's own affair.
    const auto asked = challenge.find("scope");
    if (asked != challenge.end() && !asked->second.starts_with("repository:"))
        fields.emplace_back("scope", asked->second);
    else
        for (const auto& scope : scopes) fields.emplace_back("scope", scope);

    http::Request request;
    request.longest_body = longest_token_answer;
    request.headers = {"Accept: application/json"};
    // docker login stores an identity token under this name; it is traded by OAuth2.
    const bool identity = credential_ && credential_->user == "<token>" && may_tell;
    if (identity) {
        fields.emplace_back("grant_type", "refresh_token");
        fields.emplace_back("client_id", "slipway");
        fields.emplace_back("refresh_token", credential_->password.reveal());
    } else if (credential_ && may_tell) {
        request.headers.push_back("Authorization: " + basic(*credential_));
    }
    std::string form;
    for (const auto& [name, value] : fields)
        form += (form.empty() ? "" : "&") + name + "=" + http::percent_encode(value);
    if (identity) {
        request.method = "POST";
        request.url = realm;
        request.body = form;
        request.headers.push_back("Content-Type: application/x-www-form-urlencoded");
    } else {
        request.url = realm + (realm.find('?') == realm.npos ? "?" : "&") + form;
    }

    const auto response = client_.send(request, stop);
    if (response.status == 401 || response.status == 403) refused(response);
    if (response.status != 200) fail(response, url.origin(), "give a token");
    const auto given = base::while_doing("asking " + url.origin() + " for a token",
                                         [&] { return parse_token_answer(response.body); });
    return {given.token,
            std::chrono::steady_clock::now() + given.lifetime - std::chrono::seconds(5)};
}

} // namespace registry
