#include "cnb_files.h"

#include "base/json.h"

#include <algorithm>

namespace buildpacks {
namespace {

using nlohmann::json;

void check_type(const std::string& type) {
    static constexpr std::string_view allowed =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-";
    if (type.empty() || type.size() > 200 || type == "." || type == ".." ||
        type.find_first_not_of(allowed) != std::string::npos)
        refuse("a process type may have letters, digits and . _ - only");
}

// One string below API 0.9, whose arguments are all in `args`; a list since.
std::vector<std::string> read_command(const json& process, const Info& info,
                                      const std::string& type) {
    const auto command = process.find("command");
    if (command == process.end()) refuse("the process " + type + " has no command");
    if (!info.has_api(9)) {
        if (!command->is_string())
            refuse("the command of the process " + type +
                   " must be a string (Buildpack API below 0.9)");
        return {command->get<std::string>()};
    }
    if (!command->is_array() || command->empty())
        refuse("the command of the process " + type +
               " must be a list with at least one element (Buildpack API 0.9 and later)");
    return base::json::get_strings(process, "command");
}

// Since API 0.9 no process runs in a shell.
bool read_direct(const json& process, const Info& info, const std::string& type) {
    if (!info.has_api(9)) return base::json::find_bool(process, "direct", false);
    if (process.contains("direct"))
        refuse("the process " + type + " has `direct`, which Buildpack API 0.9 took away");
    return true;
}

Process read_process(const json& table, const Info& info, std::vector<std::string>& warnings) {
    Process process;
    process.type = base::json::get_string(table, "type");
    check_type(process.type);
    process.command = read_command(table, info, process.type);
    process.args = base::json::get_strings(table, "args");
    process.gave_args = table.contains("args");
    process.direct = read_direct(table, info, process.type);
    process.is_default = base::json::find_bool(table, "default", false);
    process.working_directory = base::json::find_string(table, "working-dir").value_or("");
    if (!process.working_directory.empty() && !info.has_api(8)) {
        warnings.push_back("the process " + process.type +
                           " has a working-dir, which Buildpack API " + info.api +
                           " does not know; it starts in the application directory");
        process.working_directory.clear();
    }
    if (info.has_api(12)) process.execution_envs = base::json::get_strings(table, "exec-env");
    return process;
}

// Legacy, deprecated by API 0.7: told on in the image's bill of materials, as the lifecycle does.
void read_legacy_bill(const json& table, Built& built) {
    json entries = json::array();
    for (const auto& entry : list_of(table, "bom")) {
        const auto name = base::json::get_string(entry, "name");
        if (!base::json::find_string(entry, "version").value_or("").empty())
            refuse("the bom entry " + name +
                   " has a version at its top level; it belongs into its metadata");
        entries.push_back({{"name", name}, {"metadata", table_of(entry, "metadata")}});
    }
    if (!entries.empty()) built.legacy_bill_json = entries.dump();
}

} // namespace

void read_launch(const json& table, const Info& info, Built& built) {
    for (const auto& process : list_of(table, "processes"))
        built.processes.push_back(read_process(process, info, built.warnings));
    for (const auto& label : list_of(table, "labels"))
        built.labels.emplace_back(base::json::get_string(label, "key"),
                                  base::json::get_string(label, "value"));
    for (const auto& slice : list_of(table, "slices"))
        built.slices.push_back({base::json::get_strings(slice, "paths")});
    read_legacy_bill(table, built);
    const auto defaults = std::count_if(built.processes.begin(), built.processes.end(),
                                        [](const Process& process) { return process.is_default; });
    if (defaults > 1) refuse("more than one process is the default");
}

} // namespace buildpacks
