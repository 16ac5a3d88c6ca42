#include "base/beneath.h"
#include "base/error.h"
#include "base/json.h"
#include "buildpacks/catalog.h"
#include "buildpacks/environment.h"
#include "buildpacks/toml_text.h"
#include "cnb_files.h"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <charconv>

namespace buildpacks {
namespace {

using base::Error;
using base::ErrorKind;

// Lifecycle's codes for bin/detect.
constexpr int detect_pass = 0;
constexpr int detect_fail = 100;
constexpr unsigned oldest_api = 7, newest_api = 12;

// "0.<minor>"; empty for anything else.
std::optional<unsigned> minor_of(const std::string& api) {
    unsigned minor = 0;
    const char* end = api.data() + api.size();
    if (!api.starts_with("0.") || api.size() < 3) return std::nullopt;
    const auto [rest, failure] = std::from_chars(api.data() + 2, end, minor);
    if (failure != std::errc{} || rest != end) return std::nullopt;
    return minor;
}

void check_api(const Info& info) {
    const auto minor = minor_of(info.api);
    if (!minor || *minor < oldest_api || *minor > newest_api)
        throw Error(ErrorKind::invalid_input,
                    info.full_name() + " wants Buildpack API " + base::printable(info.api) +
                        ", which is not supported",
                    "Supported are 0.7 to 0.12.");
}

void check_id(const std::string& id) {
    static constexpr std::string_view allowed =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789./-_";
    static const std::vector<std::string> reserved{"app", "config", "generated", "sbom"};
    if (id.empty() || id.find_first_not_of(allowed) != std::string::npos || id.front() == '.' ||
        id.front() == '/' || std::find(reserved.begin(), reserved.end(), id) != reserved.end())
        throw Error(ErrorKind::invalid_input, "\"" + id + "\" cannot be the id of a buildpack");
}

// It becomes the name of a directory. Semantic versions are asked for by the specification, but
// sources of buildpacks have placeholders here, too.
void check_version(const std::string& version) {
    if (version.empty() || version.size() > 200 || version.front() == '.' ||
        version.find('/') != std::string::npos || base::printable(version) != version)
        throw Error(ErrorKind::invalid_input,
                    base::quoted(version) + " cannot be the version of a buildpack");
}

class Cnb final : public Buildpack {
  public:
    Cnb(Info info, std::filesystem::path directory, Mounting mounting)
        : info_(std::move(info)), directory_(std::move(directory)), mounting_(mounting) {}

    Mounting mounting() const override { return mounting_; }

    const Info& info() const override { return info_; }
    const std::filesystem::path& directory() const override { return directory_; }
    std::string mount_point() const override {
        return "/cnb/buildpacks/" + info_.escaped_id() + "/" + info_.version;
    }

    engine::Invocation detect(const Places& places, const std::string& slot,
                              Environment environment) const override {
        const auto plan = slot + "/plan.toml";
        environment["CNB_BUILDPACK_DIR"] = mount_point();
        add_api_variables(environment, info_, places);
        if (info_.has_api(8)) environment["CNB_BUILD_PLAN_PATH"] = plan;
        return {.argv = {mount_point() + "/bin/detect", places.platform, plan},
                .environment = render(environment),
                .working_directory = places.app,
                .alone = false};
    }

    Detection read_detection(base::ExitStatus status, std::string output,
                             const std::filesystem::path& slot) const override {
        return read_cnb_detection(status, std::move(output), slot, "plan.toml", info_.full_name());
    }

    engine::Invocation build(const Places& places, const std::vector<PlanEntry>& plan,
                             const std::filesystem::path& slot, const std::string& slot_inside,
                             Environment environment) const override {
        // The directory of the slots is the build user's: a buildpack before this one may have left
        // links in it.
        const auto file =
            base::create_beneath(slot.parent_path(), slot.filename().string() + "/plan.toml");
        base::write_all(file.get(), render_plan(plan));
        const auto own_layers = places.layers + "/" + info_.escaped_id();
        const auto plan_path = slot_inside + "/plan.toml";
        environment["CNB_BUILDPACK_DIR"] = mount_point();
        add_api_variables(environment, info_, places);
        if (info_.has_api(8)) {
            environment["CNB_LAYERS_DIR"] = own_layers;
            environment["CNB_BP_PLAN_PATH"] = plan_path;
        }
        return {.argv = {mount_point() + "/bin/build", own_layers, places.platform, plan_path},
                .environment = render(environment),
                .working_directory = places.app,
                .alone = true};
    }

    Built read_build(const HostPlaces& places) const override {
        return read_layers_directory(places.layers, info_);
    }

  private:
    Info info_;
    std::filesystem::path directory_;
    Mounting mounting_;
};

Distribution read_distribution(const nlohmann::json& table) {
    return {base::json::find_string(table, "name").value_or(""),
            base::json::find_string(table, "version").value_or("")};
}

Target read_target(const nlohmann::json& table) {
    Target target{.os = base::json::find_string(table, "os").value_or(""),
                  .architecture = base::json::find_string(table, "arch").value_or(""),
                  .variant =
                      base::json::find_string(table, "variant")
                          .value_or(base::json::find_string(table, "arch-variant").value_or(""))};
    for (const auto& distribution : table.value("distros", nlohmann::json::array()))
        target.distributions.push_back(read_distribution(distribution));
    return target;
}

// ["test"] as the lifecycle has it, or [[buildpack.exec-env]] with names as the specification does.
std::vector<std::string> read_execution_envs(const nlohmann::json& own) {
    std::vector<std::string> names;
    for (const auto& item : list_of(own, "exec-env"))
        names.push_back(item.is_object() ? base::json::get_string(item, "name")
                                         : item.get<std::string>());
    return names;
}

} // namespace

Info read_info(const nlohmann::json& table, const char* what) {
    const auto own = table.value(what, nlohmann::json::object());
    Info info{.id = base::json::get_string(own, "id"),
              .version = base::json::get_string(own, "version"),
              .name = base::json::find_string(own, "name").value_or(""),
              .homepage = base::json::find_string(own, "homepage").value_or(""),
              .api = base::json::get_string(table, "api"),
              .clear_env = base::json::find_bool(own, "clear-env", false),
              .description = base::json::find_string(own, "description").value_or(""),
              .execution_envs = read_execution_envs(own),
              .sbom_formats = base::json::get_strings(own, "sbom-formats")};
    for (const auto& target : table.value("targets", nlohmann::json::array()))
        info.targets.push_back(read_target(target));
    check_id(info.id);
    check_version(info.version);
    check_api(info);
    return info;
}

namespace {

// What is wrong in a file is told with its name.
template <class F>
auto of_file(const std::filesystem::path& file, F&& f) {
    try {
        return f();
    } catch (const Error& error) {
        if (error.kind() != ErrorKind::invalid_input) throw;
        throw Error(error.kind(), file.string() + ": " + error.message(), error.hint());
    }
}

} // namespace

void add_api_variables(Environment& environment, const Info& info, const Places& places) {
    if (info.has_api(8)) environment["CNB_PLATFORM_DIR"] = places.platform;
    if (!info.has_api(10))
        std::erase_if(environment,
                      [](const auto& entry) { return entry.first.starts_with("CNB_TARGET_"); });
    if (!info.has_api(12)) environment.erase("CNB_EXEC_ENV");
}

Detection read_cnb_detection(base::ExitStatus status, std::string output,
                             const std::filesystem::path& root, const std::string& file,
                             const std::string& whose) {
    Detection detection{.exit_code = status.code, .output = std::move(output)};
    if (status.signal != 0) detection.exit_code = 128 + status.signal;
    if (detection.exit_code != detect_pass) {
        detection.verdict = detection.exit_code == detect_fail ? Verdict::fail : Verdict::error;
        return detection;
    }
    // A plan that cannot be read is this buildpack's error: other groups may still pass without it.
    try {
        detection.sections = read_build_plan(root, file, whose);
        detection.verdict = Verdict::pass;
    } catch (const Error& error) {
        detection.verdict = Verdict::error;
        detection.output +=
            (detection.output.empty() || detection.output.ends_with('\n') ? "" : "\n") +
            error.message() + "\n";
    }
    return detection;
}

bool Info::has_api(unsigned minor) const {
    const auto own = minor_of(api);
    return own && *own >= minor;
}

std::string Info::escaped_id() const {
    std::string escaped = id;
    std::replace(escaped.begin(), escaped.end(), '/', '_');
    return escaped;
}

std::shared_ptr<const Buildpack> load_cnb(const std::filesystem::path& directory,
                                          Buildpack::Mounting mounting, std::string origin) {
    const auto file = directory / "buildpack.toml";
    const auto table = toml_to_json(base::read_file(file), file.string());
    return of_file(file, [&] {
        auto info = read_info(table, "buildpack");
        info.source = std::move(origin);
        return std::make_shared<const Cnb>(std::move(info), directory, mounting);
    });
}

std::optional<Composite> load_composite(const std::filesystem::path& directory) {
    const auto file = directory / "buildpack.toml";
    const auto text = base::read_file(file);
    auto order = parse_order(text, file.string());
    if (order.empty()) return std::nullopt;
    return of_file(file, [&] {
        return Composite{read_info(toml_to_json(text, file.string()), "buildpack"),
                         std::move(order), directory};
    });
}

Kind kind_of(const std::filesystem::path& directory) {
    const auto file = directory / "buildpack.toml";
    if (std::filesystem::exists(file)) {
        const auto table = toml_to_json(base::read_file(file), file.string());
        // Classic buildpacks have a buildpack.toml too: without an API.
        if (table.contains("api")) return table.contains("order") ? Kind::composite : Kind::cnb;
    }
    if (std::filesystem::exists(directory / "extension.toml")) return Kind::extension;
    return std::filesystem::exists(directory / "bin" / "compile") ? Kind::classic : Kind::neither;
}

} // namespace buildpacks
