// The keys about what is kept, what is fetched and what comes in beside git.
#include "config_key_kinds.h"

namespace server {
namespace {

std::vector<Key> retention_keys() {
    return {
        duration(
            "retention.builds", [](Config & c) -> auto& { return c.retention.builds; },
            "How long builds are kept, with their logs; an app's last published one stays."),
        number(
            "retention.builds_kept", [](Config & c) -> auto& { return c.retention.builds_kept; },
            "So many of an app's newest builds stay, however old they are."),
        duration(
            "retention.logs", [](Config & c) -> auto& { return c.retention.logs; },
            "How long the logs of builds are kept."),
        size(
            "retention.logs_size", [](Config & c) -> auto& { return c.retention.logs_size; },
            "Bytes of all logs, at most; the oldest leave first. 0: no limit."),
        duration(
            "retention.uploads", [](Config & c) -> auto& { return c.retention.uploads; },
            "How long uploaded sources are kept that no build waits for."),
        duration(
            "retention.caches", [](Config & c) -> auto& { return c.retention.caches; },
            "How long the cache of an app that is not built is kept."),
        size(
            "retention.caches_size", [](Config & c) -> auto& { return c.retention.caches_size; },
            "Bytes of all caches, at most; those of the apps that were not built for longest leave "
            "first. 0: no limit."),
        duration(
            "retention.buildpacks", [](Config & c) -> auto& { return c.retention.buildpacks; },
            "How long fetched buildpacks are kept that no build uses."),
        duration(
            "retention.layers", [](Config & c) -> auto& { return c.retention.layers; },
            "How long unpacked layers are kept that belong to no stack and that no build uses."),
        duration(
            "retention.images", [](Config & c) -> auto& { return c.retention.images; },
            "How long images of the own registry are kept that no tag names and no build that is "
            "kept."),
        duration(
            "retention.notices", [](Config & c) -> auto& { return c.retention.notices; },
            "How long it is kept what was told to forges and other servers."),
        size(
            "retention.free_space", [](Config & c) -> auto& { return c.retention.free_space; },
            "With less free space in the state directory what is old leaves at once, not once a "
            "day."),
    };
}

std::vector<Key> buildpack_keys() {
    return {
        list(
            "buildpacks.allowed_private_hosts",
            [](Config & c) -> auto& { return c.buildpacks.allowed_private_hosts; },
            "Hosts (`name` or `name:port`) in private networks that apps may name buildpacks of; "
            "others there are refused."),
        choice(
            "buildpacks.submodules", [](Config & c) -> auto& { return c.buildpacks.submodules; },
            {"no", "yes"}, "Whether submodules of buildpacks' git repositories are fetched."),
    };
}

std::vector<Key> webhook_keys() {
    return {
        list(
            "network.allowed_private_hosts",
            [](Config & c) -> auto& { return c.network.allowed_private_hosts; },
            "Hosts (`name` or `name:port`) in private networks that the server may call for its "
            "users: repositories and APIs of webhooks, notifications; others there are refused."),
        duration(
            "webhooks.check_interval",
            [](Config & c) -> auto& { return c.webhooks.check_interval; },
            "How often the branch of each webhook is compared with its last commit that was seen, "
            "for deliveries that never came; 0s: never."),
        duration(
            "webhooks.keep", [](Config & c) -> auto& { return c.webhooks.keep; },
            "How long deliveries are kept; a delivery of the same id is not taken again as long."),
    };
}

std::vector<Key> upload_keys() {
    return {
        size(
            "upload.size", [](Config & c) -> auto& { return c.upload.size; },
            "Bytes of one uploaded or downloaded archive as it comes, at most."),
        duration(
            "upload.time", [](Config & c) -> auto& { return c.upload.time; },
            "Time of one upload, at most."),
    };
}

} // namespace

std::vector<Key> upkeep_keys() {
    std::vector<Key> keys;
    for (auto part : {retention_keys(), buildpack_keys(), webhook_keys(), upload_keys()})
        keys.insert(keys.end(), part.begin(), part.end());
    return keys;
}

} // namespace server
