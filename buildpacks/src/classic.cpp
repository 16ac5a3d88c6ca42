#include "base/beneath.h"
#include "base/error.h"
#include "base/text.h"
#include "buildpacks/catalog.h"
#include "buildpacks/environment.h"
#include "classic_files.h"
#include "classic_scripts.h"

namespace buildpacks {
namespace {

using base::Error;
using base::ErrorKind;

// What a shell process of the launcher wants: a Buildpack API that still has them.
constexpr const char* launcher_api = "0.8";
constexpr std::size_t longest_name = 200;

// They become directory names.
void check_word(const std::string& word, const char* what) {
    static constexpr std::string_view allowed =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789./-_+";
    if (word.empty() || word.size() > longest_name || word.front() == '.' || word.front() == '/' ||
        word.find_first_not_of(allowed) != std::string::npos)
        throw Error(ErrorKind::invalid_input,
                    base::quoted(word) + " cannot be the " + what + " of a buildpack");
}

class Classic final : public Buildpack {
  public:
    Classic(Info info, std::filesystem::path directory)
        : info_(std::move(info)), directory_(std::move(directory)) {}

    const Info& info() const override { return info_; }
    const std::filesystem::path& directory() const override { return directory_; }
    std::string mount_point() const override {
        return "/cnb/buildpacks/" + info_.escaped_id() + "/" + info_.version;
    }
    // Packs write `export` and unpack tools beside their scripts.
    Mounting mounting() const override { return Mounting::read_write; }
    AppDirectory app_directory() const override { return AppDirectory::app; }

    Environment environment(const Variables& variables) const override {
        auto environment = variables.base;
        // Not of this API; some packs take CNB_STACK_ID for a sign of another platform.
        std::erase_if(environment,
                      [](const auto& entry) { return entry.first.starts_with("CNB_"); });
        for (const auto& [name, value] : variables.classic) environment[name] = value;
        modify(environment, variables.operators);
        return environment;
    }

    engine::Invocation detect(const Places& places, const std::string& slot,
                              Environment environment) const override {
        return invocation(places, std::move(environment), scripts::detect,
                          {mount_point(), places.app, slot});
    }

    Detection read_detection(base::ExitStatus status, std::string output,
                             const std::filesystem::path& slot) const override {
        Detection detection{.exit_code = status.code, .output = std::move(output)};
        if (status.signal != 0) detection.exit_code = 128 + status.signal;
        // Any other exit code is a "no" of this API; a shell that cannot start it is none.
        if (detection.exit_code == 0)
            detection.verdict = Verdict::pass;
        else if (detection.exit_code < 126)
            detection.verdict = Verdict::fail;
        if (detection.verdict == Verdict::pass) detection.sections.emplace_back();
        detection.name = read_name(slot);
        return detection;
    }

    engine::Invocation build(const Places& places, const std::vector<PlanEntry>&,
                             const std::filesystem::path&, const std::string& slot_inside,
                             Environment environment) const override {
        auto made = invocation(
            places, std::move(environment), scripts::build,
            {mount_point(), places.app, own_layers(places), places.platform + "/env", slot_inside,
             std::string(scripts::app_profile), std::string(scripts::app_profile_exec_d)});
        made.alone = true;
        return made;
    }

    Built read_build(const HostPlaces& places) const override {
        return read_classic_build(places, info_);
    }

    std::optional<std::string> read_report(const HostPlaces& places) const override {
        return read_classic_report(places);
    }

  private:
    std::string own_layers(const Places& places) const {
        return places.layers + "/" + info_.escaped_id();
    }

    static engine::Invocation invocation(const Places& places, Environment environment,
                                         std::string_view script,
                                         std::vector<std::string> arguments) {
        environment["HOME"] = environment["APP_DIR"] = places.classic_home;
        std::vector<std::string> argv{"/bin/bash", "-c", std::string(script), "slipway-classic"};
        argv.insert(argv.end(), arguments.begin(), arguments.end());
        return {.argv = std::move(argv),
                .environment = render(environment),
                .working_directory = places.app,
                .alone = false};
    }

    Info info_;
    std::filesystem::path directory_;
};

} // namespace

std::shared_ptr<const Buildpack> load_classic(const std::filesystem::path& directory,
                                              std::string id, std::string version,
                                              std::string origin) {
    check_word(id, "id");
    check_word(version, "version");
    if (kind_of(directory) != Kind::classic)
        throw Error(ErrorKind::invalid_input, id + " has no bin/compile",
                    "A classic buildpack has bin/detect and bin/compile; a Cloud Native one has "
                    "buildpack.toml.");
    Info info{.id = std::move(id), .version = std::move(version), .api = launcher_api};
    info.source = std::move(origin);
    return std::make_shared<const Classic>(std::move(info), directory);
}

} // namespace buildpacks
