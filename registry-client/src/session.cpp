#include "session.h"

#include "answer.h"

#include "base/error.h"
#include "base/log.h"
#include "base/text.h"

#include <algorithm>
#include <random>

namespace registry {
namespace {

constexpr int most_hops = 5;
constexpr std::chrono::seconds longest_backoff{30};

// Loopback registries are development ones and speak plain HTTP, as Docker takes it, too. A
// registry with TLS on this machine is reached by its host's name.
std::string root_of(const std::string& registry, const Settings& settings) {
    const std::string host = registry == "docker.io" ? "registry-1.docker.io" : registry;
    const bool plain = http::parse_url("http://" + host).is_loopback() ||
                       std::find(settings.insecure.begin(), settings.insecure.end(), registry) !=
                           settings.insecure.end();
    return (plain ? "http://" : "https://") + host;
}

std::optional<Credential> credential_for(const std::string& registry, const Settings& settings) {
    const auto found = settings.credentials.find(registry);
    if (found == settings.credentials.end() || found->second.user.empty()) return std::nullopt;
    return found->second;
}

http::ClientOptions options_for(const std::string& registry, const http::Url& origin,
                                const Settings& settings) {
    http::ClientOptions options{.ca_file = settings.ca_file,
                                .stall_timeout = settings.stall_timeout,
                                .allow_address = settings.allow_address};
    const auto found = settings.credentials.find(registry);
    if (found != settings.credentials.end() && !found->second.certificate.empty())
        options.certificate = {found->second.certificate, found->second.key, origin.origin()};
    return options;
}

// What our own side throws (a full disk, say) is no fault of the registry, and no reason to ask it
// again: the bytes that were handed out are not the bytes that arrived.
template <class F>
auto marking(Call& call, F& work) {
    return [&call, &work](auto... arguments) {
        try {
            return work(arguments...);
        } catch (...) {
            call.local_failure = true;
            throw;
        }
    };
}

bool is_redirect(int status) {
    return status == 301 || status == 302 || status == 303 || status == 307 || status == 308;
}

void show_warnings(const std::string& registry, const http::Response& response) {
    if (const auto warning = response.header("warning"); warning && warning->starts_with("299"))
        base::log::warning(
            "the registry warns",
            {{"registry", registry}, {"warning", base::printable(warning->substr(0, 300))}});
}

} // namespace

Session::Session(const std::string& registry, Settings settings, MakeToken make_token)
    : registry_(registry), settings_(std::move(settings)), root_(root_of(registry, settings_)),
      origin_(http::parse_url(root_)), client_(options_for(registry, origin_, settings_)),
      authentication_(client_, origin_, credential_for(registry, settings_),
                      std::move(make_token)) {}

void Session::back_off(int attempt, std::optional<std::chrono::milliseconds> asked,
                       const base::Stop& stop) const {
    thread_local std::minstd_rand random(std::random_device{}());
    const auto step = std::min<std::chrono::milliseconds>(
        settings_.first_backoff * (1ll << std::min(attempt - 1, 16)), longest_backoff);
    std::uniform_int_distribution<long long> jitter(0, step.count() / 4);
    const auto wait = std::max(asked.value_or(std::chrono::milliseconds(0)), step) +
                      std::chrono::milliseconds(jitter(random));
    if (stop.wait(wait)) stop.throw_if_over("talking to the registry");
}

http::Response Session::send(Call call, const base::Stop& stop) {
    for (int attempt = 1;; ++attempt) {
        const bool last = call.once || attempt >= settings_.attempts;
        std::optional<std::chrono::milliseconds> asked;
        try {
            if (call.prepare) call.prepare(call);
            auto response = send_once(call, stop);
            show_warnings(registry_, response);
            if (call.once || !is_transient(response.status)) return response;
            if (last) fail(response, registry_, call.doing);
            asked = retry_after(response);
        } catch (base::Error& error) {
            if (last || !is_transient(error) || call.local_failure || stop.requested() ||
                stop.expired())
                throw;
            base::log::debug("the registry is asked again",
                             {{"registry", registry_}, {"reason", error.message()}});
        }
        back_off(attempt, asked, stop);
    }
}

// A 401 is answered once. A second one is a refusal, and refusals are never repeated.
http::Response Session::send_once(Call& call, const base::Stop& stop) {
    const std::string url = absolute(call.url);
    for (bool answered = false;; answered = true) {
        const auto used = authentication_.authorization(call.scopes);
        auto response = follow(call, url, stop);
        if (response.status != 401) return response;
        if (answered || http::parse_url(url).origin() != origin_.origin())
            fail(response, registry_, call.doing);
        authentication_.answer(response, call.scopes, used, stop);
        if (call.body_rewind) call.body_rewind();
    }
}

// The Authorization header goes to the registry alone: blobs often lie behind a redirect to an
// object store, which must not see it (and refuses requests that have two kinds of it).
http::Response Session::follow(Call& call, const std::string& start, const base::Stop& stop) {
    std::string url = start;
    for (int hop = 0; hop <= most_hops; ++hop) {
        http::Request request;
        request.method = call.method;
        request.url = url;
        request.headers = call.headers;
        request.body = call.body;
        if (call.body_source) request.body_source = marking(call, call.body_source);
        request.body_size = call.body_size;
        if (!call.never_twice) request.body_rewind = call.body_rewind;
        if (call.sink) request.sink = marking(call, call.sink);
        request.on_status = call.on_status;
        if (http::parse_url(url).origin() == origin_.origin())
            if (auto value = authentication_.authorization(call.scopes); !value.empty())
                request.headers.push_back("Authorization: " + value);
        auto response = client_.send(request, stop);
        const bool follows = call.method == "GET" || call.method == "HEAD";
        if (!is_redirect(response.status) || !follows) return response;
        url = next_hop(url, response);
    }
    throw base::Error(base::ErrorKind::unavailable, registry_ + " redirects without end");
}

std::string Session::absolute(const std::string& url) const {
    return url.starts_with('/') ? root_ + url : url;
}

std::string Session::next_hop(const std::string& url, const http::Response& response) const {
    const auto location = response.header("location");
    if (!location)
        throw base::Error(base::ErrorKind::unavailable, registry_ + " redirects to nowhere");
    return resolve(url, *location);
}

std::string Session::resolve(const std::string& url, const std::string& location) const {
    const std::string next = http::resolve(absolute(url), location);
    const http::Url parsed = http::parse_url(next);
    // A registry behind a TLS proxy that does not know it: the same place, by our own scheme.
    if (parsed.host == origin_.host && parsed.scheme == "http" && origin_.scheme == "https")
        return root_ + next.substr(std::min(next.size(), next.find('/', 7)));
    const auto refuse = [&](const char* why) {
        throw base::Error(base::ErrorKind::denied, registry_ + " redirects to " +
                                                       base::quoted(parsed.origin()) + ", which " +
                                                       why);
    };
    if (parsed.scheme != "https" && origin_.scheme == "https") refuse("does not use https");
    if (parsed.is_internal() && !origin_.is_internal() && parsed.host != origin_.host)
        refuse("is an internal address");
    return next;
}

} // namespace registry
