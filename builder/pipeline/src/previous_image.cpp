#include "previous_image.h"

#include "base/error.h"

namespace builder {

PreviousImageReader::PreviousImageReader(const Job& job, std::string architecture,
                                         const registry::Settings& settings,
                                         const base::Stop& stop) {
    const auto* target = std::get_if<RegistryTarget>(&job.target);
    if (!target || job.previous.empty()) return;
    tasks_.start([this, &job, &settings, &stop, target,
                  architecture = std::move(architecture)](const base::Stop&) {
        try {
            const auto store =
                registry::open_repository(target->registry, target->repository, settings);
            auto image =
                image::read_image(*store, job.previous, architecture, target->repository, stop);
            if (auto metadata = LifecycleMetadata::parse(image))
                image_.emplace(PreviousImage{std::move(image), *metadata});
        } catch (const base::Error& error) {
            if (error.kind() == base::ErrorKind::cancelled) throw;
            failed_ = true;
        }
    });
}

std::optional<PreviousImage> PreviousImageReader::take(Reporter& report) {
    tasks_.join();
    if (failed_) report.body("The last image cannot be read; building without it.");
    return std::move(image_);
}

} // namespace builder
