// The description against the routes that are there, in both directions, and against itself.
#include "api_site.h"

#include "api/openapi.h"
#include "api/rebase.h"

#include <catch2/catch.hpp>

#include <regex>
#include <set>

using nlohmann::json;

namespace {

const json& document() {
    static const json value = json::parse(server::api::openapi_document());
    return value;
}

struct Operation {
    std::string method; // in upper case
    std::string path;
    json value;
};

std::vector<Operation> operations() {
    std::vector<Operation> found;
    for (const auto& [path, item] : document().at("paths").items())
        for (const auto& [method, value] : item.items()) {
            std::string upper;
            for (const char c : method) upper += static_cast<char>(std::toupper(c));
            found.push_back({upper, path, value});
        }
    return found;
}

// With the routes that main adds beside the others.
struct WholeSite : ApiSite {
    WholeSite() { server::api::add_rebase_routes(router, *api, rebases); }
    server::Rebases rebases{{.store = *store,
                             .registry = registry,
                             .logs_directory = {},
                             .ca_file = {},
                             .name = {},
                             .drain = {},
                             .prove = {},
                             .on_change = {}}};
};

// The object that a "$ref" names, or the value itself.
const json& follow(const json& value) {
    const auto it = value.find("$ref");
    if (it == value.end()) return value;
    const auto text = it->get<std::string>();
    REQUIRE(text.starts_with("#/"));
    return document().at(json::json_pointer(text.substr(1)));
}

void check_references(const json& value) {
    if (value.is_object() && value.contains("$ref")) CHECK_NOTHROW(follow(value));
    if (value.is_structured())
        for (const auto& part : value) check_references(part);
}

std::set<std::string> parts_of(const std::string& path) {
    static const std::regex part("\\{(\\w+)\\}");
    std::set<std::string> names;
    for (std::sregex_iterator it(path.begin(), path.end(), part), end; it != end; ++it)
        names.insert((*it)[1]);
    return names;
}

std::set<std::string> parameters_of(const json& operation, const std::string& where) {
    std::set<std::string> names;
    for (const auto& entry : operation.value("parameters", json::array()))
        if (const auto& parameter = follow(entry); parameter.at("in") == where)
            names.insert(parameter.at("name"));
    return names;
}

} // namespace

TEST_CASE("each route is described, with the right that it asks for") {
    WholeSite site;
    for (const auto& rule : site.api->rules()) {
        std::string method;
        for (const char c : rule.method) method += static_cast<char>(std::tolower(c));
        INFO(rule.method << " " << rule.pattern);
        const auto& paths = document().at("paths");
        REQUIRE(paths.contains(rule.pattern));
        REQUIRE(paths[rule.pattern].contains(method));
        CHECK(paths[rule.pattern][method].at("x-right") == server::api::to_string(rule.access));
    }
}

TEST_CASE("each described operation is a route") {
    WholeSite site;
    std::set<std::pair<std::string, std::string>> routes;
    for (const auto& route : site.router.routes()) routes.emplace(route.method, route.pattern);
    for (const auto& operation : operations()) {
        INFO(operation.method << " " << operation.path);
        CHECK(routes.contains({operation.method, operation.path}));
    }
    CHECK(routes.size() == operations().size());
}

TEST_CASE("the document is OpenAPI 3.1 whose references lead somewhere") {
    CHECK(document().at("openapi").get<std::string>().starts_with("3.1."));
    CHECK(document().at("info").contains("title"));
    CHECK(document().at("info").contains("version"));
    check_references(document());
}

TEST_CASE("each operation has a name of its own, its path's parts, and answers") {
    std::set<std::string> names;
    for (const auto& operation : operations()) {
        INFO(operation.method << " " << operation.path);
        CHECK(names.insert(operation.value.at("operationId")).second);
        CHECK(parameters_of(operation.value, "path") == parts_of(operation.path));
        REQUIRE_FALSE(operation.value.at("responses").empty());
        for (const auto& [status, response] : operation.value.at("responses").items()) {
            CHECK((status == "default" || std::regex_match(status, std::regex("[1-5][0-9][0-9]"))));
            CHECK(follow(response).contains("description"));
        }
        const bool needs_token = operation.value.at("x-right") != "none";
        CHECK(operation.value.contains("security") != needs_token);
    }
}

TEST_CASE("what makes something takes an Idempotency-Key") {
    for (const auto& operation : operations()) {
        if (!operation.value.at("responses").contains("201")) continue;
        INFO(operation.method << " " << operation.path);
        CHECK(parameters_of(operation.value, "header").contains("Idempotency-Key"));
    }
}

TEST_CASE("the server hands its description to everybody") {
    ApiSite site;
    const auto reply = site.ask("GET", "/v1/openapi.json", "");
    CHECK(reply.status == 200);
    CHECK(reply.json == document());
}
