#include "inputs.h"

#include "classic_app.h"
#include "materials.h"

#include "base/crypto.h"
#include "base/error.h"
#include "base/json.h"
#include "builder/target.h"
#include "image/layer_writer.h"

#include <nlohmann/json.hpp>

#include <algorithm>

namespace builder {
namespace {

namespace fs = std::filesystem;
using base::json::Value;

std::string hash_of_app(const fs::path& app, const base::Stop& stop) {
    const auto listing = image::TreeListing::read(app, image::EntryOrder::by_path, {}, stop);
    const auto content = [&](image::LayerWriter& writer) {
        writer.add_listed(listing, image::select_all(listing), "app", {}, image::Modes::as_they_are,
                          stop);
    };
    const image::LayerFormat format{image::Compression::none, image::EntryOrder::by_path};
    return image::hash_layer(format, content).diff_id.hex();
}

// Without its registry, whose address differs from server to server while the image does not.
std::string describe(const image::Reference& reference) {
    return reference.repository + "@" + reference.digest->render();
}

Value describe(const buildpacks::Order& order) {
    auto groups = Value::array();
    for (const auto& group : order) {
        auto elements = Value::array();
        for (const auto& element : group)
            elements.push_back({element.id, element.version, element.optional, element.extension,
                                element.execution_envs});
        groups.push_back(std::move(elements));
    }
    return groups;
}

Value describe(const buildpacks::Catalog& catalog) {
    Value buildpacks = Value::array(), composites = Value::object();
    for (const auto* buildpack : catalog.all()) {
        const auto pinned = describe_buildpack(*buildpack);
        buildpacks.push_back({pinned.name, pinned.digest});
    }
    std::sort(buildpacks.begin(), buildpacks.end());
    for (const auto& composite : catalog.composites())
        composites[composite.info.full_name()] = describe(composite.order);
    const auto& system = catalog.system();
    return {{"buildpacks", buildpacks},
            {"composites", composites},
            {"order", describe(catalog.order())},
            {"extensions", describe(catalog.extension_order())},
            {"system", describe(buildpacks::Order{system.pre, system.post})}};
}

// What of the job reaches the image, or what buildpacks see of it. Names, places, who may be called
// and how long things may take decide whether there is an image, not which one.
Value describe(const Job& job) {
    return {{"stack", job.stack.name},
            {"classic_stack", job.stack.classic_name},
            {"slug_ignore", job.slug_ignore == SlugIgnore::before ? "before" : "after"},
            {"variables_in_environment", job.variables_in_environment},
            {"compression", image::to_string(job.compression)},
            {"compressor", image::compressor_of(job.compression)},
            {"network", job.network},
            {"memory", job.limits.memory_bytes},
            {"pids", job.limits.pids},
            {"cpus", job.limits.cpus},
            {"environment", job.environment},
            {"bindings", job.bindings},
            {"ca", job.ca_file.empty() ? "" : image::digest_of_file(job.ca_file).hex()}};
}

// Slipway itself, by what it is: two programs of one version may differ.
Value describe_programs(const fs::path& launchers) {
    return {image::digest_of_file("/proc/self/exe").hex(),
            image::digest_of_file(launchers / "slipway-launch").hex(),
            image::digest_of_file(launchers / "slipway-init").hex()};
}

} // namespace

std::string key_of(const BuildInputs& inputs, const base::Stop& stop) {
    const auto& job = inputs.job;
    if (job.inputs.secret.empty()) return {};
    Value value{{"app", hash_of_app(inputs.app, stop)},
                {"catalog", describe(inputs.catalog)},
                {"chosen", inputs.chosen},
                {"build_image", describe(inputs.build_image)},
                {"run_image", describe(inputs.run_image)},
                {"job", describe(job)},
                {"programs", describe_programs(job.launcher_directory)}};
    // They are told it as SOURCE_VERSION; no other buildpack knows which commit it builds.
    if (has_classic(inputs.catalog)) value["revision"] = revision_of(job);
    return base::hmac_sha256_hex(job.inputs.secret.reveal(), base::json::render(value));
}

std::optional<Published> publish_finished(const Job& job, const std::string& key,
                                          image::BlobStore& store, Reporter& report,
                                          const base::Stop& stop) {
    const auto& finished = job.inputs.finished;
    const auto build =
        std::find_if(finished.begin(), finished.end(), [&](const FinishedBuild& other) {
            return !key.empty() && other.published.inputs == key;
        });
    if (build == finished.end()) return std::nullopt;
    const auto unusable = [&](const std::string& why) {
        report.body("Build " + build->id + " had the same inputs, but " + why + ".");
        return std::nullopt;
    };
    try {
        const auto manifest = store.read_manifest(build->published.digest, stop);
        if (!manifest) return unusable("the registry does not have its image any more");
        // A registry that lacks a layer of it says so now.
        store.write_manifest(*manifest, tag_of(job.target), stop);
        auto published = build->published;
        published.reference = reference_of(job.target, manifest->digest);
        published.same_as = build->id;
        report.step("The same inputs as of build " + build->id +
                    ": its image is the answer, nothing is built (-o no-cache builds anyway)");
        return published;
    } catch (const base::Error& error) {
        if (error.kind() == base::ErrorKind::cancelled || stop.expired()) throw;
        return unusable("its image cannot be used: " + error.message());
    }
}

} // namespace builder
