#include "previous_image.h"

#include "bills_of_materials.h"

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

std::filesystem::path bills_of(const PreviousImage& previous, const LayerCache& cache,
                               const Job& job, const registry::Settings& settings, Reporter& report,
                               const base::Stop& stop) {
    if (previous.metadata.bills.empty()) return {};
    if (cache.bills_diff_id() == previous.metadata.bills) return cache.bills() / "launch";
    const auto* target = std::get_if<RegistryTarget>(&job.target);
    try {
        const auto store =
            registry::open_repository(target->registry, target->repository, settings);
        return fetch_bills(previous.image, previous.metadata.bills, *store,
                           job.work_directory / "last-bills", stop);
    } catch (const base::Error& error) {
        if (error.kind() == base::ErrorKind::cancelled) throw;
        report.body("The last image's bills of materials cannot be read.");
        return {};
    }
}

} // namespace builder
