// What the routes of archives share: from a request's body to a build in the queue
// (docs/api.md). Any thread.
#pragma once

#include "api.h"

#include "../uploads.h"

#include "base/json.h"
#include "builder/job.h"

#include <string>

namespace server::api {

// The body as it streams in, with its announced length and ?checksum=.
UploadStore::Incoming incoming_of(Call& call);

// A build that somebody asks for.
struct Wish {
    builder::Source source;
    bool durable = false; // the source outlives the server
    std::string version;  // of the source, by its sender's own word
    std::string ref = {};
    std::string hook = {};     // whose credentials open it
    std::string retry_of = {}; // of an older build's source: as Submission has it
    builder::BuildOptions options = {};
};

// A URL: an upload of ours is taken from the disk, another's is fetched by the worker. Throws
// FieldError for one that no archive can be at. checksum: "" or what parse_checksum reads.
Wish wish_of_url(Api& api, const std::string& url, const std::string& checksum);
// {"buildpacks": [...], "environment": {...}, "no_cache", "dry_run", "verbose"}, over what `parsed`
// says already.
builder::BuildOptions parse_options(const base::json::Value& options,
                                    builder::BuildOptions parsed = {});

// Throws FieldError for too many, and for what check_buildpack_uri refuses.
void check_buildpacks(const std::string& field, const std::vector<std::string>& uris);

// Puts it into the queue, for the call's app and principal. Throws Busy when the queue is full.
apps::Build submit(Api& api, Call& call, Wish wish);

// Cancels the call's build; the row as it is then. Throws Error{already_exists} when it has ended.
apps::Build cancel_build(Api& api, Call& call);

// The log of a build from its first byte until its end, each line to `on_text`; returns the row as
// it ended. Throws Error{unavailable} when the reader leaves.
apps::Build write_log_to_its_end(Api& api, Call& call, const std::string& build);

} // namespace server::api
