#include "stack_create.h"

#include "images.h"

#include "image/image.h"
#include "image/layer_writer.h"

#include "base/error.h"
#include "base/fd.h"
#include "base/process.h"
#include "base/temp_dir.h"
#include "base/text.h"

#include <nlohmann/json.hpp>

#include <fcntl.h>
#include <optional>
#include <sstream>
#include <unistd.h>

namespace cli {
namespace {

namespace fs = std::filesystem;
using base::Error;
using base::ErrorKind;
using Progress = std::function<void(const std::string&)>;

// Every build of the same packages is the same image: the time of the CNB platform specification.
constexpr const char* source_date_epoch = "315532801"; // 1980-01-01T00:00:01Z
constexpr auto longest = std::chrono::minutes(60);

std::vector<std::string> read_packages(const fs::path& file) {
    std::vector<std::string> packages;
    std::istringstream lines(base::read_file(file));
    for (std::string line; std::getline(lines, line);)
        if (auto name = base::trim(line.substr(0, line.find('#'))); !name.empty())
            packages.push_back(std::move(name));
    return packages;
}

std::string join(const std::vector<std::string>& words) {
    std::string text;
    for (const auto& word : words) text += (text.empty() ? "" : ",") + word;
    return text;
}

// Debian and the release, from the directory's name: "debian-12".
struct Distribution {
    std::string name, version, suite;
};
Distribution distribution_of(const std::string& stack) {
    const std::pair<const char*, const char*> suites[] = {
        {"11", "bullseye"}, {"12", "bookworm"}, {"13", "trixie"}};
    for (const auto& [version, suite] : suites)
        if (stack.starts_with(std::string("debian-") + version)) return {"debian", version, suite};
    throw Error(ErrorKind::invalid_input,
                "the stack " + base::quoted(stack) +
                    " does not start with the name of a Debian release",
                "Call it debian-12 or debian-12-something.");
}

struct Recipe {
    fs::path directory;
    std::string stack;
    Distribution distribution;
    fs::path run_status; // dpkg's list of the run image, which the build image is given
    bool is_build = false;
    std::vector<std::string> packages() const {
        auto packages = read_packages(directory / "run.packages");
        if (!is_build) return packages;
        const auto more = read_packages(directory / "build.packages");
        packages.insert(packages.end(), more.begin(), more.end());
        return packages;
    }
    // What classic buildpacks know this stack by, where they know it; else empty.
    std::string classic_name() const {
        const auto file = directory / "classic.stack";
        const auto lines = fs::exists(file) ? read_packages(file) : std::vector<std::string>();
        return lines.empty() ? "" : lines.front();
    }
    const char* image() const { return is_build ? "build" : "run"; }
};

std::string last_lines(const fs::path& log, std::size_t count) {
    std::istringstream stream(base::read_file(log));
    std::vector<std::string> lines;
    for (std::string line; std::getline(stream, line);)
        if (!base::trim(line).empty()) lines.push_back(base::printable(line));
    std::string text;
    for (std::size_t i = lines.size() > count ? lines.size() - count : 0; i < lines.size(); ++i)
        text += "\n       " + lines[i];
    return text;
}

// The machine's own sources where they are this release's, so that a mirror is used; none of the
// machine's other repositories get in: they would not be the same elsewhere.
base::Command bootstrap_command(const Recipe& recipe, const fs::path& tar) {
    base::Command command;
    command.argv = {"mmdebstrap", "--variant=essential", "--format=tar",
                    "--aptopt=Acquire::Languages \"none\"",
                    "--aptopt=APT::Install-Recommends \"false\"", "--aptopt=Acquire::Retries \"3\"",
                    // A root that is thrown away when the power fails needs no fsync for each file.
                    "--dpkgopt=force-unsafe-io", "--include=" + join(recipe.packages()),
                    "--customize-hook=SLIPWAY_STACK_IMAGE=" + std::string(recipe.image()) +
                        " SLIPWAY_RUN_STATUS='" + recipe.run_status.string() + "' '" +
                        (recipe.directory / "customize").string() + "' \"$1\"",
                    recipe.distribution.suite, tar.string()};
    if (::geteuid() == 0) command.argv.insert(command.argv.begin() + 1, "--mode=root");
    command.environment = base::minimal_environment(
        {std::string("SOURCE_DATE_EPOCH=") + source_date_epoch, "LC_ALL=C.UTF-8",
         "DEBIAN_FRONTEND=noninteractive", std::string("SLIPWAY_STACK_IMAGE=") + recipe.image()});
    return command;
}

void bootstrap(const Recipe& recipe, const fs::path& tar, const base::Stop& stop) {
    if (base::find_program("mmdebstrap").empty())
        throw Error(ErrorKind::not_found, "mmdebstrap is not installed",
                    "Run apt-get install mmdebstrap.");
    const fs::path log = tar.string() + ".log";
    auto command = bootstrap_command(recipe, tar);
    const auto output = base::open_file(log, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    command.descriptors = {{1, output.get()}, {2, output.get()}};
    auto process = base::Process::start(command);
    const auto status = process.wait(stop.within(longest));
    if (!status) {
        process.terminate(std::chrono::seconds(10)); // it unmounts what it mounted
        stop.throw_if_over("making the stack");
        throw Error(ErrorKind::timed_out, "mmdebstrap took too long");
    }
    if (!status->ok())
        throw Error(ErrorKind::unavailable,
                    "mmdebstrap failed with " + status->describe() + ":" + last_lines(log, 15),
                    "Is Debian's mirror reachable from here?");
}

image::ContainerConfig configuration(const Recipe& recipe) {
    image::ContainerConfig config;
    config.user = "1000:1000";
    config.environment = {"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"};
    if (recipe.is_build) {
        config.environment.push_back("CNB_USER_ID=1000");
        config.environment.push_back("CNB_GROUP_ID=1000");
        config.environment.push_back("CNB_STACK_ID=slipway." + recipe.stack);
        if (const auto classic = recipe.classic_name(); !classic.empty())
            config.environment.push_back("STACK=" + classic);
    }
    config.labels = {{"io.buildpacks.stack.id", "slipway." + recipe.stack},
                     {"io.buildpacks.base.distro.name", recipe.distribution.name},
                     {"io.buildpacks.base.distro.version", recipe.distribution.version},
                     {"io.buildpacks.base.id", "slipway." + recipe.stack}};
    return config;
}

image::Image push(const Recipe& recipe, image::BlobStore& store, const fs::path& directory,
                  const image::WrittenLayer& layer, const base::Stop& stop) {
    const auto made = image::Image(image::this_architecture())
                          .with_layers({layer.layer}, {{"slipway stack create", false}})
                          .with_config(configuration(recipe));
    const auto config_bytes = made.render_config();
    const auto config_file = directory / "config.json";
    base::write_file(config_file, config_bytes);
    const image::Descriptor config{std::string(image::media_type::config),
                                   image::Digest::of(config_bytes), config_bytes.size()};
    for (const auto& blob : {image::BlobFile{layer.layer.descriptor, layer.path},
                             image::BlobFile{config, config_file}})
        if (!store.find_missing({blob.descriptor}, stop).empty()) store.write_blob(blob, stop);
    const auto manifest = made.render_manifest();
    store.write_manifest({std::string(image::media_type::manifest), manifest, made.digest()},
                         "latest", stop);
    return made;
}

std::string make_image(const Recipe& recipe, const Context& context,
                       const base::json::Value& server_info, const Progress& on_line) {
    const auto host = base::json::get_string(server_info, "registry");
    const auto repository = base::json::find_string(server_info, "registry_prefix").value_or("") +
                            "stacks/" + recipe.stack + "/" + recipe.image();
    const base::TempDir scratch("slipway-stack-");
    const auto tar = scratch.path() / "root.tar";
    on_line("-----> Making the " + std::string(recipe.image()) + " image from " +
            std::to_string(recipe.packages().size()) + " Debian packages and what they need");
    bootstrap(recipe, tar, context.interrupted);
    const auto layer = image::layer_from_tar(tar, scratch.path() / "layer.tar.gz",
                                             image::Compression::gzip, context.interrupted);
    on_line("       " + base::human_bytes(layer.uncompressed) + ", compressed " +
            base::human_bytes(layer.layer.descriptor.size));
    const auto store =
        registry::open_repository(host, repository, registry_settings(server_info, host));
    const auto made = push(recipe, *store, scratch.path(), layer, context.interrupted);
    const auto reference = host + "/" + repository + "@" + made.digest().render();
    on_line("       pushed " + reference);
    return reference;
}

} // namespace

StackReferences create_stack(const Context& context, const base::json::Value& server_info,
                             const std::string& name, const Progress& on_line) {
    if (name.empty() ||
        name.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789.-") != std::string::npos)
        throw Error(ErrorKind::invalid_input, base::quoted(name) + " is no name for a stack");
    const base::TempDir scratch("slipway-stack-");
    Recipe recipe{share_directory() / "stacks" / name, name, {}, scratch.path() / "run-status"};
    if (!fs::exists(recipe.directory / "run.packages"))
        throw Error(ErrorKind::not_found, "there is no stack " + base::quoted(name) + " in " +
                                              recipe.directory.parent_path().string());
    recipe.directory = fs::canonical(recipe.directory);
    recipe.distribution = distribution_of(name);
    StackReferences references;
    references.run = make_image(recipe, context, server_info, on_line);
    recipe.is_build = true;
    references.build = make_image(recipe, context, server_info, on_line);
    return references;
}

} // namespace cli
