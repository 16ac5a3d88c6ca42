// POST /v1/apps/{app}/builds: a source in one of four ways, and the log back on the same
// connection when it is asked for (docs/api.md).
#include "shapes.h"
#include "submissions.h"

#include "../rebuild.h"

#include "apps/store.h"

#include "base/crypto.h"
#include "base/error.h"
#include "base/text.h"

#include <nlohmann/json.hpp>

namespace server::api {
namespace {

using base::Error;
using base::ErrorKind;
using base::json::Value;

bool is_json(const Call& call) {
    return call.head().header("content-type").value_or("").starts_with("application/json");
}

Wish wish_of_rebuild(Api& api, Call& call, const std::string& id) {
    const auto earlier = api.site().store.builds().find(id);
    if (!earlier || earlier->app != call.app().name)
        throw FieldError("rebuild", "there is no build " + base::quoted(id) + " of this app");
    auto again = rebuild_of(api.site(), *earlier);
    return {.source = std::move(again.source),
            .durable = again.durable,
            .version = std::move(again.commit),
            .ref = std::move(again.ref),
            .hook = std::move(again.hook),
            .retry_of = std::move(again.retry_of),
            .options = std::move(again.options)};
}

// An upload by its id: that of somebody else does not exist.
Wish wish_of_upload(Api& api, Call& call, const std::string& id, const std::string& checksum) {
    const auto& who = call.principal();
    const auto upload = api.site().store.uploads().find(id);
    if (!upload || (!who.is_server() && upload->owner != who.id))
        throw FieldError("upload", "there is no upload " + base::quoted(id));
    if (!checksum.empty() && receiver::parse_checksum(checksum) != upload->digest)
        throw FieldError("checksum", "the upload's checksum is another: " + upload->digest);
    return {.source = api.site().uploads.source_of(*upload), .durable = true};
}

Wish wish_of_json(Api& api, Call& call, const Value& body) {
    const auto wanted = open_envelope(body, "build");
    const auto checksum = find_text(wanted, "checksum").value_or("");
    const auto url = find_text(wanted, "source_url"), upload = find_text(wanted, "upload"),
               rebuild = find_text(wanted, "rebuild");
    if (url.has_value() + upload.has_value() + rebuild.has_value() != 1)
        throw FieldError("build", "one of source_url, upload and rebuild says what to build",
                         "Or send the archive itself as the request's body.");
    auto wish = url      ? wish_of_url(api, *url, checksum)
                : upload ? wish_of_upload(api, call, *upload, checksum)
                         : wish_of_rebuild(api, call, *rebuild);
    if (const auto version = find_text(wanted, "version")) wish.version = *version;
    if (const auto it = wanted.find("options"); it != wanted.end() && !it->is_null())
        wish.options = parse_options(*it, std::move(wish.options));
    return wish;
}

http::Reply created(const apps::Build& build) {
    auto reply = envelope(201, "build", shape_build(build));
    reply.headers.emplace_back("Location", "/v1/builds/" + build.id);
    return reply;
}

bool wants_log(const Call& call) {
    const auto follow = call.query("follow");
    return follow && *follow != "false" && *follow != "0";
}

// The status went out with the first line, so the last one says how it ended: the digest alone, or
// "error: " and why. A dry run has no digest: "detected: " and who would build it. One that waits
// for the server's next start has not ended: "goes on: " and its state.
void follow(Api& api, Call& call, const std::string& build) {
    call.start(200, {{"Content-Type", "text/plain; charset=utf-8"},
                     {"Slipway-Build", build},
                     {"Location", "/v1/builds/" + build},
                     {"X-Accel-Buffering", "no"}}); // nginx would hold it back
    const auto ended = write_log_to_its_end(api, call, build);
    if (ended.state == apps::BuildState::published)
        call.exchange().write(ended.digest + "\n");
    else if (ended.state == apps::BuildState::detected)
        call.exchange().write("detected: " + base::printable(ended.reason) + "\n");
    else if (!apps::is_over(ended.state))
        call.exchange().write("goes on: " + std::string(apps::to_string(ended.state)) +
                              ": the server stops, and builds it when it is back\n");
    else
        call.exchange().write("error: " + std::string(apps::to_string(ended.state)) + ": " +
                              base::printable(ended.reason) + "\n");
    call.exchange().finish();
}

void answer(Api& api, Call& call, const std::string& body_hash,
            const std::function<Wish()>& make_wish) {
    const auto made = api.make_once(
        call, body_hash, [&] { return created(submit(api, call, make_wish())); }, created);
    if (!wants_log(call)) return call.send(made.reply);
    const auto body = base::json::parse(made.reply.body, "an answer");
    follow(api, call, base::json::get_string(body.at("build"), "id"));
}

void build_archive(Api& api, Call& call) {
    // A form is what curl says of --data-binary; its bytes are the archive all the same.
    const auto upload =
        api.site().uploads.receive(call.principal().id, incoming_of(call), call.stop());
    answer(api, call, upload.digest, [&] {
        return Wish{.source = api.site().uploads.source_of(upload),
                    .durable = true,
                    .version = call.query("version").value_or("")};
    });
}

} // namespace

void add_new_build_routes(http::Router& router, Api& api) {
    api.add(router, Access::deploy, "POST", "/v1/apps/{app}/builds", [&](Call& call) {
        if (!is_json(call)) return build_archive(api, call);
        const auto body = call.read_json();
        answer(api, call, base::sha256_hex(call.body()),
               [&] { return wish_of_json(api, call, body); });
    });
}

} // namespace server::api
