// Places to upload to, with the URLs of Scalingo's and Heroku's APIs (docs/api.md).
#include "submissions.h"

#include "base/error.h"
#include "base/fd.h"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <fcntl.h>
#include <memory>

namespace server::api {
namespace {

using base::Error;
using base::ErrorKind;
using base::json::Value;

constexpr std::size_t piece = 256u << 10;

// Whoever may build nothing has nothing to upload.
void check_may_upload(const Principal& principal) {
    if (principal.is_server()) return;
    for (const auto& scope : principal.scopes)
        if (scope.right == apps::Right::deploy) return;
    throw Error(ErrorKind::denied, "this token may deploy no app",
                "It needs a scope \"app:NAME:deploy\".");
}

std::pair<std::string, std::int64_t> make_place(Api& api, Call& call) {
    check_may_upload(call.principal());
    const auto place = api.site().uploads.make_place(call.principal().id);
    return {api.site().http_url + place.path, place.row.expires};
}

http::Reply make_source(Api& api, Call& call) {
    const auto [url, expires] = make_place(api, call);
    return json_reply(
        201,
        {{"source",
          {{"upload_url", url}, {"download_url", url}, {"expires_at", time_or_null(expires)}}}});
}

http::Reply make_heroku_source(Api& api, Call& call) {
    const auto [url, expires] = make_place(api, call);
    return json_reply(201, {{"source_blob", {{"put_url", url}, {"get_url", url}}},
                            {"expires_at", time_or_null(expires)}});
}

apps::Upload named_place(Api& api, Call& call) {
    return api.site().uploads.open_place(call.parameter("source"), call.query("key").value_or(""));
}

void take_upload(Api& api, Call& call) {
    const auto place = named_place(api, call);
    const auto spooled = api.site().uploads.receive(place, incoming_of(call), call.stop());
    call.send(json_reply(200, {{"upload",
                                {{"id", place.id},
                                 {"digest", spooled.digest},
                                 {"size", spooled.size},
                                 {"was_there", spooled.was_there}}}}));
}

void send_upload(Api& api, Call& call) {
    const auto place = named_place(api, call);
    const auto file = base::open_file(api.site().uploads.source_of(place).file, O_RDONLY);
    call.start(
        200, {{"Content-Type", "application/octet-stream"}, {"ETag", "\"" + place.digest + "\""}});
    const auto buffer = std::make_unique_for_overwrite<char[]>(piece);
    while (const auto n = base::read_some(file.get(), buffer.get(), piece))
        call.exchange().write({buffer.get(), n});
    call.exchange().finish();
}

} // namespace

UploadStore::Incoming incoming_of(Call& call) {
    return {.body = [&call](char* buffer,
                            std::size_t size) { return call.exchange().read_body(buffer, size); },
            .announced = call.head().content_length.value_or(0),
            .checksum = call.query("checksum").value_or("")};
}

void add_source_routes(http::Router& router, Api& api) {
    api.add(router, Access::any, "POST", "/v1/sources", [&](Call& call) {
        call.read_json();
        api.send_once(call, [&] { return make_source(api, call); });
    });
    api.add(router, Access::open, "PUT", "/v1/sources/{source}/content",
            [&](Call& call) { take_upload(api, call); });
    api.add(router, Access::open, "GET", "/v1/sources/{source}/content",
            [&](Call& call) { send_upload(api, call); });
    api.add(router, Access::any, "POST", "/sources", [&](Call& call) {
        call.read_json();
        api.send_once(call, [&] { return make_heroku_source(api, call); });
    });
}

} // namespace server::api
