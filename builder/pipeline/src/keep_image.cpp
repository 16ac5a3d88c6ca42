#include "keep_image.h"

#include "outcome.h"

#include "base/error.h"
#include "base/fd.h"
#include "base/temp_dir.h"
#include "builder/kept.h"
#include "image/oci_layout.h"

namespace builder {
namespace {

namespace fs = std::filesystem;

// The layers are made once more: what was sent of them is in the hands of a registry that is away.
Exported export_again(const KeepInput& input, image::BlobStore& layout, Reporter& report,
                      const base::Stop& stop) {
    LayerIndex nothing_known({}, [](const std::string&) {});
    const auto& first = input.exporting;
    const ExportInput again{.workspace = first.workspace,
                            .user = first.user,
                            .run_image = first.run_image,
                            .run_image_name = first.run_image_name,
                            .built = first.built,
                            .previous = first.previous,
                            .launcher = first.launcher,
                            .target = layout,
                            .index = nothing_known,
                            .trust_previous = true,
                            .sparse = true,
                            .compression = first.compression,
                            .project_metadata_json = first.project_metadata_json};
    return export_image(again, report, stop);
}

void put(image::BlobStore& layout, std::string_view bytes, const base::Stop& stop) {
    layout.stream_blob([&](const image::ByteSink& sink) { sink(bytes); }, stop);
}

} // namespace

bool is_worth_keeping(const Job& job, const TargetError& error) {
    const bool away =
        error.kind() == base::ErrorKind::unavailable || error.kind() == base::ErrorKind::timed_out;
    return away && std::holds_alternative<RegistryTarget>(job.target);
}

Exported keep_image(const KeepInput& input, Reporter& report, const base::Stop& stop) {
    report.step("The registry does not take the image: keeping it, to send it later");
    const auto directory = kept_in(input.job);
    fs::create_directories(directory);
    try {
        const auto layout = image::open_oci_layout(layout_of_kept(directory));
        auto exported =
            input.exported ? *input.exported : export_again(input, *layout, report, stop);
        put(*layout, exported.image.render_config(), stop);
        const auto manifest = exported.image.render_manifest();
        layout->write_manifest(
            {std::string(image::media_type::manifest), manifest, exported.image.digest()}, "kept",
            stop);
        const auto materials = input.materials(exported, *layout);
        PublishedImage published{.reference =
                                     reference_of(input.job.target, exported.image.digest())};
        auto outcome = outcome_of(published, exported);
        outcome.inputs = input.key;
        write_kept(directory, {outcome, input.exporting.run_image.reference.render(), materials});
        return exported;
    } catch (...) {
        base::remove_tree(directory);
        throw;
    }
}

} // namespace builder
