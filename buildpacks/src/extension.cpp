#include "base/beneath.h"
#include "base/error.h"
#include "buildpacks/catalog.h"
#include "buildpacks/environment.h"
#include "buildpacks/toml_text.h"
#include "cnb_files.h"
#include "dockerfile.h"

#include <nlohmann/json.hpp>

namespace buildpacks {
namespace {

using base::Error;
using base::ErrorKind;

class Extension final : public Buildpack {
  public:
    Extension(Info info, std::filesystem::path directory, Mounting mounting)
        : info_(std::move(info)), directory_(std::move(directory)), mounting_(mounting),
          has_detect_(has("bin/detect")), has_generate_(has("bin/generate")) {}

    const Info& info() const override { return info_; }
    const std::filesystem::path& directory() const override { return directory_; }
    std::string mount_point() const override {
        return "/cnb/extensions/" + info_.escaped_id() + "/" + info_.version;
    }
    Mounting mounting() const override { return mounting_; }
    Role role() const override { return Role::extension; }
    bool has_detect() const override { return has_detect_; }
    bool has_build() const override { return has_generate_; }

    engine::Invocation detect(const Places& places, const std::string& slot,
                              Environment environment) const override {
        const auto plan = slot + "/plan.toml";
        add_common(environment, places);
        environment["CNB_BUILD_PLAN_PATH"] = plan;
        return {.argv = {mount_point() + "/bin/detect", places.platform, plan},
                .environment = render(environment),
                .working_directory = places.app,
                .alone = false};
    }

    Detection read_detection(base::ExitStatus status, std::string output,
                             const std::filesystem::path& slot) const override {
        auto detection =
            read_cnb_detection(status, std::move(output), has_detect_ ? slot : directory_,
                               has_detect_ ? "plan.toml" : "detect/plan.toml", info_.full_name());
        for (const auto& section : detection.sections)
            if (!section.requires_.empty())
                throw Error(ErrorKind::buildpack_failed,
                            "the image extension " + info_.full_name() + " requires " +
                                base::quoted(section.requires_.front().name) +
                                " in its build plan, which only buildpacks may");
        return detection;
    }

    // The slot is the output directory.
    engine::Invocation build(const Places& places, const std::vector<PlanEntry>& plan,
                             const std::filesystem::path& slot, const std::string& slot_inside,
                             Environment environment) const override {
        const auto file =
            base::create_beneath(slot.parent_path(), slot.filename().string() + "/plan.toml");
        base::write_all(file.get(), render_plan(plan));
        const auto plan_path = slot_inside + "/plan.toml";
        add_common(environment, places);
        environment["CNB_OUTPUT_DIR"] = slot_inside;
        environment["CNB_BP_PLAN_PATH"] = plan_path;
        return {.argv = {mount_point() + "/bin/generate", slot_inside, places.platform, plan_path},
                .environment = render(environment),
                .working_directory = places.app,
                .alone = true};
    }

    Built read_build(const HostPlaces& places) const override {
        const auto image_in = [&](const std::string& file) {
            const auto text = has_generate_ ? base::read_beneath(places.slot, file)
                                            : base::read_beneath(directory_, "generate/" + file);
            return text ? read_from(*text, "the image extension " + info_.full_name() + ": " + file)
                        : std::string();
        };
        if (const auto image = image_in("build.Dockerfile"); !image.empty())
            throw Error(ErrorKind::buildpack_failed,
                        "the image extension " + info_.full_name() +
                            ": build.Dockerfile does not begin with ${base_image} but with " +
                            base::quoted(image));
        Built built;
        built.run_image = image_in("run.Dockerfile");
        return built;
    }

  private:
    bool has(const char* program) const {
        return std::filesystem::exists(std::filesystem::symlink_status(directory_ / program));
    }

    void add_common(Environment& environment, const Places& places) const {
        environment["CNB_EXTENSION_DIR"] = mount_point();
        add_api_variables(environment, info_, places);
    }

    Info info_;
    std::filesystem::path directory_;
    Mounting mounting_;
    bool has_detect_;
    bool has_generate_;
};

} // namespace

std::shared_ptr<const Buildpack> load_extension(const std::filesystem::path& directory,
                                                Buildpack::Mounting mounting) {
    const auto file = directory / "extension.toml";
    const auto text = base::read_beneath(directory, "extension.toml"); // links lead nowhere
    if (!text)
        throw base::Error(base::ErrorKind::invalid_input,
                          directory.string() + " has no file extension.toml");
    const auto table = toml_to_json(*text, file.string());
    try {
        return std::make_shared<const Extension>(read_info(table, "extension"), directory,
                                                 mounting);
    } catch (const nlohmann::json::exception&) {
        throw base::Error(base::ErrorKind::invalid_input,
                          file.string() + " has a value of the wrong type");
    }
}

} // namespace buildpacks
