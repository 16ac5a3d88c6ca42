#include "process.h"

#include "failure.h"

#include <algorithm>
#include <iterator>

namespace launch {
namespace {

constexpr ApiVersion replaceable_args_platform_api{0, 10};
constexpr ApiVersion replaceable_args_buildpack_api{0, 9};
constexpr ApiVersion exec_env_platform_api{0, 15};

void append(std::vector<std::string>& list, const std::vector<std::string>& more) {
    list.insert(list.end(), more.begin(), more.end());
}

bool eligible(const Process& process, ApiVersion platform_api, std::string_view exec_env) {
    if (platform_api < exec_env_platform_api || process.exec_env.empty()) return true;
    return std::any_of(process.exec_env.begin(), process.exec_env.end(),
                       [&](const std::string& name) { return name == "*" || name == exec_env; });
}

const Buildpack& buildpack_of(const Process& process, const Metadata& metadata) {
    for (const Buildpack& buildpack : metadata.buildpacks)
        if (buildpack.id == process.buildpack_id) return buildpack;
    fail("the process type " + process.type + " names the buildpack '" + process.buildpack_id +
         "', which is not in metadata.toml");
}

void place_user_args(Process& process, const Metadata& metadata, ApiVersion platform_api,
                     const std::vector<std::string>& user_args) {
    if (platform_api < replaceable_args_platform_api) {
        append(process.args, user_args);
    } else if (process.command.size() > 1) {
        // Only buildpacks of API 0.9 and later give more than one: all but the first are
        // arguments that always stay, before the replaceable ones.
        std::vector<std::string> args{process.command.begin() + 1, process.command.end()};
        append(args, user_args.empty() ? process.args : user_args);
        process.command.resize(1);
        process.args = std::move(args);
    } else if (!user_args.empty()) {
        if (buildpack_of(process, metadata).api < replaceable_args_buildpack_api)
            append(process.args, user_args);
        else
            process.args = user_args;
    }
}

Process user_process(std::vector<std::string> words) {
    Process process;
    if (!words.empty() && words.front() == "--") {
        process.direct = true;
        words.erase(words.begin());
    }
    if (words.empty())
        fail("a command is required: this image has no default process; run "
             "/cnb/process/<type> or `launcher [--] <command> [<argument>...]`");
    process.command.push_back(std::move(words.front()));
    process.args.assign(std::make_move_iterator(words.begin() + 1),
                        std::make_move_iterator(words.end()));
    return process;
}

} // namespace

Process choose_process(const Metadata& metadata, ApiVersion platform_api, std::string_view exec_env,
                       std::string_view argv0, std::vector<std::string> user_args) {
    const std::string type{argv0.substr(argv0.rfind('/') + 1)};
    bool known = false;
    for (const Process& candidate : metadata.processes) {
        if (type.empty() || candidate.type != type) continue;
        known = true;
        if (!eligible(candidate, platform_api, exec_env)) continue;
        Process process = candidate;
        place_user_args(process, metadata, platform_api, user_args);
        return process;
    }
    if (known)
        fail("the process type " + type + " is not for the execution environment '" +
             std::string{exec_env} + "'; set CNB_EXEC_ENV to one that it is for");
    return user_process(std::move(user_args));
}

} // namespace launch
