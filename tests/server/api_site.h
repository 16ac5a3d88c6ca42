// The API as slipwayd has it, answering on a port of its own, with a real database and queue and a
// worker that does as it is told (fake_worker).
#pragma once

#include "api/api.h"
#include "http_listeners.h"
#include "repositories.h"
#include "tcp.h"

#include "server/config_vars.h"

#include "apps/store.h"
#include "base/crypto.h"
#include "base/task_group.h"
#include "base/temp_dir.h"
#include "http/client.h"
#include "http/server.h"

#include <nlohmann/json.hpp>

#include <map>
#include <optional>
#include <string>

class ApiSite {
  public:
    using Value = nlohmann::json;
    struct Reply {
        int status = 0;
        std::multimap<std::string, std::string> headers;
        std::string text;
        Value json;
        std::string header(const std::string& name) const {
            const auto it = headers.find(name);
            return it == headers.end() ? "" : it->second;
        }
        std::string code() const { return json.at("error").at("code"); }
    };

    explicit ApiSite(std::function<void(server::Config&)> change = {}) {
        if (change) change(config);
        server::QueueSettings settings;
        settings.worker.program = SLIPWAY_SOURCE_DIR "/tests/server/fake_worker";
        settings.logs_directory = state.logs();
        settings.keys = &keys;
        settings.make_job = [this](const apps::Build& build, const builder::Source& source) {
            builder::Job job;
            job.id = build.id;
            job.app = build.app;
            job.source = source;
            job.environment["FAKE"] = directory.path().string();
            return job;
        };
        settings.clean_up = [](const builder::Job&) {};
        queue.emplace(*store, settings);
        registry.host = "127.0.0.1:1";
        site.emplace(
            server::Site{config,
                         state,
                         *store,
                         *queue,
                         repositories,
                         variables,
                         keys,
                         registry,
                         "0",
                         "::1",
                         22,
                         {},
                         {},
                         {},
                         "http://builds.test",
                         uploads,
                         build_events,
                         [this](server::DryRun dry_run) {
                             return server::prune({config.retention, state, *store}, dry_run);
                         },
                         nullptr,
                         "here"});
        api.emplace(*site, metrics);
        server::api::add_routes(router, *api);
        auto listener = server::listen_on({"127.0.0.1", 0});
        url = "http://" + listener.address.render();
        http::Server::Settings answers;
        answers.proxies = server::trusted_proxies(config);
        answers.handler = [this](http::Exchange& exchange, const base::Stop& stop) {
            api->answer(router, exchange, stop);
        };
        answers.on_error = [this](const base::Error& error, const http::RequestHead& head) {
            return api->render_failure(error, head);
        };
        http.emplace(std::move(listener.fd), std::move(answers));
        threads.start([this](const base::Stop& stop) { http->run(stop, stop); });
    }

    // A token of these scopes; the text.
    std::string add_token(const std::string& name, const std::vector<std::string>& scopes,
                          std::int64_t expires = 0) {
        apps::Token token;
        const auto text = server::api::make_token_text();
        token.id = apps::new_id('t');
        token.name = name;
        token.hash = server::api::hash_of_token(text);
        for (const auto& scope : scopes) token.scopes.push_back(apps::Scope::parse(scope));
        token.created = apps::now_milliseconds();
        token.expires = expires;
        store->tokens().add(token);
        return text;
    }
    apps::Build add_build(const std::string& app) {
        apps::Build build;
        build.id = apps::new_build_id();
        build.app = app;
        build.state = apps::BuildState::received; // which no worker takes
        build.created = apps::now_milliseconds();
        build.door = "git";
        store->builds().add(build);
        return build;
    }

    Reply ask(const std::string& method, const std::string& path, const std::string& token,
              const Value& body = nullptr, std::vector<std::string> headers = {}) {
        http::Request request;
        request.method = method;
        request.url = url + path;
        request.headers = std::move(headers);
        if (!token.empty()) request.headers.push_back("Authorization: Bearer " + token);
        if (!body.is_null()) request.body = body.dump();
        const auto response = client.send(request, base::Stop{}.within(std::chrono::seconds(60)));
        Reply reply{response.status, response.headers, response.body, nullptr};
        if (reply.header("content-type") == "application/json")
            reply.json = Value::parse(reply.text);
        return reply;
    }

    base::TempDir directory{"api"};
    server::Config config;
    server::SystemUser user = server::own_user();
    server::StateDirectory state{directory.path() / "state", user, 0};
    std::unique_ptr<apps::Store> store = apps::open_sqlite_store(state.database());
    base::KeyRing keys = base::KeyRing::open(state.secret_keys());
    server::ConfigVars variables{*store, keys};
    server::Repositories repositories{state, user};
    server::Registry registry;
    server::api::Metrics metrics;
    server::UploadStore uploads{config, state, *store};
    server::BuildEvents build_events;
    std::optional<server::Queue> queue;
    std::optional<server::Site> site;
    std::optional<server::api::Api> api;
    http::Router router;
    std::string url;
    http::Client client;
    std::optional<http::Server> http;
    base::TaskGroup threads; // last: they use the rest
};
