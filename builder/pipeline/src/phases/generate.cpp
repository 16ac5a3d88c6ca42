#include "phases/generate.h"

#include "base/error.h"
#include "base/text.h"

#include <algorithm>

namespace builder {
namespace {

using base::Error;
using base::ErrorKind;

registry::PinnedImage read(const std::string& name, const ImageAccess& access,
                           const base::Stop& stop) {
    auto reference = image::Reference::parse(name);
    if (!reference.digest) {
        const auto repository =
            registry::open_repository(reference.registry, reference.repository, access.settings);
        const auto manifest = repository->read_manifest(reference.tag.value_or("latest"), stop);
        if (!manifest) throw Error(ErrorKind::not_found, "there is no such image");
        reference = reference.with_digest(manifest->digest);
    }
    return access.images.read(reference, stop);
}

registry::PinnedImage read_chosen(const std::string& name, const buildpacks::Info& by,
                                  const ImageAccess& access, const base::Stop& stop) {
    try {
        return read(name, access, stop);
    } catch (const Error& error) {
        if (error.kind() == ErrorKind::cancelled || error.kind() == ErrorKind::timed_out) throw;
        throw Error(error.kind() == ErrorKind::unavailable ? ErrorKind::unavailable
                                                           : ErrorKind::buildpack_failed,
                    "the run image " + base::quoted(name) + " that the image extension " +
                        by.full_name() + " chose cannot be used: " + error.message(),
                    error.hint());
    }
}

void take_met(const Member& extension, Group& buildpacks) {
    const auto& met = extension.plan;
    for (auto& member : buildpacks)
        std::erase_if(member.plan, [&](const auto& entry) {
            return std::any_of(met.begin(), met.end(),
                               [&](const auto& other) { return other.name == entry.name; });
        });
}

} // namespace

std::optional<registry::PinnedImage> generate(DetectedGroup& group, BuildPhase& phase,
                                              engine::Sandbox& sandbox, const ImageAccess& access,
                                              const base::Stop& stop) {
    std::vector<BuiltMember> finished;
    phase.run(group.extensions, sandbox, finished, stop);
    for (const auto& extension : group.extensions) take_met(extension, group.buildpacks);
    const auto last = std::find_if(finished.rbegin(), finished.rend(), [](const auto& member) {
        return !member.built.run_image.empty();
    });
    if (last == finished.rend()) return std::nullopt;
    return read_chosen(last->built.run_image, last->buildpack->info(), access, stop);
}

} // namespace builder
