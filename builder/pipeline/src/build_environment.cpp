#include "build_environment.h"

#include "base/error.h"
#include "base/fd.h"

#include <charconv>

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

} // namespace

BuildUser build_user(const registry::PinnedImage& build_image) {
    return {id_from(build_image, "CNB_USER_ID"), id_from(build_image, "CNB_GROUP_ID")};
}

buildpacks::Environment base_environment(const registry::PinnedImage& build_image, const Job& job,
                                         const Workspace& workspace) {
    buildpacks::Environment environment;
    for (const auto& entry : build_image.image.config().environment) {
        const auto equals = entry.find('=');
        if (equals != std::string::npos)
            environment[entry.substr(0, equals)] = entry.substr(equals + 1);
    }
    environment["HOME"] = workspace.home_inside;
    environment["CNB_TARGET_OS"] = "linux";
    environment["CNB_TARGET_ARCH"] = build_image.image.architecture();
    environment["CNB_EXEC_ENV"] = "production";
    const auto& labels = build_image.image.config().labels;
    for (const auto& [label, name] :
         {std::pair{"io.buildpacks.base.distro.name", "CNB_TARGET_DISTRO_NAME"},
          {"io.buildpacks.base.distro.version", "CNB_TARGET_DISTRO_VERSION"},
          {"io.buildpacks.stack.id", "CNB_STACK_ID"}})
        if (const auto it = labels.find(label); it != labels.end()) environment[name] = it->second;
    // Programs that bring certificates of their own ask one of these for more.
    if (!job.ca_file.empty())
        for (const char* name : {"SSL_CERT_FILE", "NODE_EXTRA_CA_CERTS", "REQUESTS_CA_BUNDLE",
                                 "PIP_CERT", "CURL_CA_BUNDLE", "GIT_SSL_CAINFO"})
            environment[name] = workspace.ca_file_inside;
    return environment;
}

void write_platform(const Job& job, const Workspace& workspace) {
    for (const auto& [name, value] : job.environment) {
        if (name.empty() || name.find('/') != std::string::npos || name.front() == '.')
            throw base::Error(base::ErrorKind::invalid_input,
                              "\"" + name + "\" cannot be the name of a variable");
        base::write_file(workspace.platform / "env" / name, value);
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
