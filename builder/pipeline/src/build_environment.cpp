#include "build_environment.h"

#include "base/error.h"
#include "base/fd.h"

#include <charconv>
#include <set>

namespace builder {
namespace {

std::string find_variable(const registry::PinnedImage& image, const std::string& name) {
    for (const auto& entry : image.image.config().environment)
        if (entry.starts_with(name + "=")) return entry.substr(name.size() + 1);
    return {};
}

unsigned id_from(const registry::PinnedImage& image, const std::string& name) {
    const auto text = find_variable(image, name);
    unsigned id = 0;
    const auto [end, failure] = std::from_chars(text.data(), text.data() + text.size(), id);
    if (failure != std::errc{} || end != text.data() + text.size() || id == 0 || id >= 65535)
        throw base::Error(base::ErrorKind::invalid_input,
                          "the build image " + image.reference.render() + " has no usable " + name,
                          "A build image names its unprivileged user by CNB_USER_ID and "
                          "CNB_GROUP_ID, both from 1 to 65534.");
    return id;
}

// Of the build image's variables those that the lifecycle lets through; the specification promises
// no other ("Base Image-Provided Variables"). A buildpack that needs more brings it itself.
buildpacks::Environment inherited(const registry::PinnedImage& build_image) {
    static const std::set<std::string> names{"PATH",        "LD_LIBRARY_PATH", "LIBRARY_PATH",
                                             "CPATH",       "PKG_CONFIG_PATH", "HTTP_PROXY",
                                             "HTTPS_PROXY", "NO_PROXY",        "http_proxy",
                                             "https_proxy", "no_proxy",        "CNB_STACK_ID"};
    buildpacks::Environment environment;
    for (const auto& entry : build_image.image.config().environment) {
        const auto equals = entry.find('=');
        if (equals != std::string::npos && names.contains(entry.substr(0, equals)))
            environment[entry.substr(0, equals)] = entry.substr(equals + 1);
    }
    return environment;
}

void check_name(const std::string& name, const char* what) {
    if (name.empty() || name.find('/') != std::string::npos || name.front() == '.')
        throw base::Error(base::ErrorKind::invalid_input,
                          "\"" + name + "\" cannot be the name of " + what);
}

} // namespace

BuildUser build_user(const registry::PinnedImage& build_image) {
    return {id_from(build_image, "CNB_USER_ID"), id_from(build_image, "CNB_GROUP_ID")};
}

buildpacks::Environment base_environment(const StackImagesRead& images, const Job& job,
                                         const Workspace& workspace) {
    auto environment = inherited(images.build);
    environment["HOME"] = workspace.home_inside;
    environment["CNB_TARGET_OS"] = "linux";
    environment["CNB_TARGET_ARCH"] = images.run.image.architecture();
    environment["CNB_EXEC_ENV"] = "production";
    const auto& labels = images.run.image.config().labels;
    for (const auto& [label, name] :
         {std::pair{"io.buildpacks.base.distro.name", "CNB_TARGET_DISTRO_NAME"},
          {"io.buildpacks.base.distro.version", "CNB_TARGET_DISTRO_VERSION"}})
        if (const auto it = labels.find(label); it != labels.end()) environment[name] = it->second;
    if (!job.bindings.empty())
        environment["SERVICE_BINDING_ROOT"] = workspace.inside.platform + "/bindings";
    // Programs that bring certificates of their own ask one of these for more.
    if (!job.ca_file.empty())
        for (const char* name : {"SSL_CERT_FILE", "NODE_EXTRA_CA_CERTS", "REQUESTS_CA_BUNDLE",
                                 "PIP_CERT", "CURL_CA_BUNDLE", "GIT_SSL_CAINFO"})
            environment[name] = workspace.ca_file_inside;
    return environment;
}

void write_platform(const Job& job, const Workspace& workspace) {
    for (const auto& [name, value] : job.environment) {
        check_name(name, "a variable");
        base::write_file(workspace.platform / "env" / name, value);
    }
    for (const auto& [binding, files] : job.bindings) {
        check_name(binding, "a service binding");
        const auto directory = workspace.platform / "bindings" / binding;
        std::filesystem::create_directories(directory);
        for (const auto& [name, value] : files) {
            check_name(name, "a service binding's file");
            base::write_file(directory / name, value);
        }
    }
}

bool write_ca_file(const Job& job, const Workspace& workspace,
                   const std::vector<std::filesystem::path>& root_layers) {
    if (job.ca_file.empty()) return false;
    const auto own = registry::read_image_file(root_layers, workspace.ca_file_inside.substr(1));
    base::write_file(workspace.ca_file, own + "\n" + base::read_file(job.ca_file));
    return true;
}

} // namespace builder
