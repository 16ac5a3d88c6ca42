#include "same_inputs.h"

#include "base/crypto.h"
#include "base/fd.h"

#include <algorithm>

namespace server {
namespace {

constexpr std::size_t letters_of_key = 64;
constexpr int most_builds = 50;

} // namespace

base::Secret open_inputs_key(const std::filesystem::path& file) {
    if (!std::filesystem::exists(file))
        base::replace_file(file, base::random_token(letters_of_key), 0600);
    return base::Secret(base::read_file(file, 1u << 16));
}

builder::KnownInputs known_inputs(const SameInputs& settings, const apps::Build& build) {
    const auto& config = settings.config;
    builder::KnownInputs known;
    const auto age = std::chrono::milliseconds(config.build.same_inputs).count();
    if (age == 0 || settings.key.empty()) return known;
    // Images without a proof do not answer where one is wanted.
    known.secret = base::Secret(base::hmac_sha256_hex(
        settings.key.reveal(), "inputs " + build.app + " proof " + config.registry.proof));
    for (const auto& maker : settings.builds.list_makers(
             build.app, build.ref, apps::now_milliseconds() - age, most_builds)) {
        builder::Published published{.reference = maker.reference,
                                     .digest = maker.digest,
                                     .size = maker.size,
                                     .processes = {},
                                     .inputs = maker.inputs};
        for (const auto& process : maker.processes)
            published.processes.push_back({process.type, process.command, process.is_default});
        known.finished.push_back({maker.id, std::move(published)});
    }
    return known;
}

bool is_offered(const builder::KnownInputs& known, const builder::Published& published) {
    return std::any_of(known.finished.begin(), known.finished.end(), [&](const auto& build) {
        return build.id == published.same_as && build.published.digest == published.digest &&
               build.published.inputs == published.inputs;
    });
}

} // namespace server
