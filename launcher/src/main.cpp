// slipway-launch, the Cloud Native Buildpacks launcher of an application image: the target of
// every /cnb/process/<type>. Reads what the build left, makes the environment, becomes the
// process. The order of the steps is that of the Platform API, "launcher", "Execution".

#include "documents.h"
#include "environment.h"
#include "execute.h"
#include "failure.h"
#include "files.h"
#include "layers.h"
#include "process.h"

#include <cerrno>
#include <cstdlib>
#include <unistd.h>

namespace launch {
namespace {

std::string variable(const char* name, const char* fallback) {
    const char* value = ::getenv(name);
    return value != nullptr && *value != '\0' ? value : fallback;
}

ApiVersion platform_api() {
    const std::string text = variable("CNB_PLATFORM_API", "");
    if (text.empty())
        fail(ExitCode::platform_api_incompatible,
             "CNB_PLATFORM_API is not set; set it to the Platform API version, such as 0.15");
    const auto version = parse_api_version(text);
    if (!version || !platform_api_supported(*version))
        fail(ExitCode::platform_api_incompatible,
             "CNB_PLATFORM_API is '" + text +
                 "', which this launcher does not support (0.7 to 0.15)");
    return *version;
}

void warn_of_process_type() {
    const std::string type = variable("CNB_PROCESS_TYPE", "");
    if (type.empty()) return;
    warn("CNB_PROCESS_TYPE is not supported; use the entrypoint '" + type +
         "' to run the process "
         "type '" +
         type + "'");
}

std::vector<std::string> profile_scripts(const Layers& layers, const std::string& process_type,
                                         const std::string& app) {
    std::vector<std::string> scripts = layers.files("profile.d", process_type);
    const std::string own = join(app, ".profile");
    if (exists(own) && !is_directory(own)) scripts.push_back(own);
    return scripts;
}

[[noreturn]] void run(const std::string& self, std::vector<std::string> user_args) {
    const ApiVersion api = platform_api();
    const std::string start = current_directory();
    const std::string layers_directory = absolute(variable("CNB_LAYERS_DIR", "/layers"), start);
    const std::string app = absolute(variable("CNB_APP_DIR", "/workspace"), start);

    const Metadata metadata = read_metadata(join(layers_directory, "config/metadata.toml"));
    warn_of_process_type();
    const Process process = choose_process(metadata, api, variable("CNB_EXEC_ENV", "production"),
                                           self, std::move(user_args));

    if (::chdir(app.c_str()) != 0)
        fail("cannot change to the application directory " + app + ": " + reason(errno));
    const Layers layers{layers_directory, metadata.buildpacks};
    Environment environment{environ};
    layers.apply_environment(environment, process.type);
    for (const std::string& program : layers.files("exec.d", process.type))
        for (auto& [name, value] : run_exec_d(program, environment)) environment.set(name, value);

    const std::string directory =
        process.working_directory.empty() ? app : absolute(process.working_directory, app);
    if (process.direct) execute_direct(process, environment, directory);
    execute_in_shell(process, environment, directory, profile_scripts(layers, process.type, app),
                     self);
}

} // namespace
} // namespace launch

int main(int argc, char** argv) {
    if (argc < 1) launch::fail("started without a name in argv[0]");
    launch::run(argv[0], {argv + 1, argv + argc});
}
