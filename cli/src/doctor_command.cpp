// What this machine has of what Slipway needs.
#include "cli/exit_code.h"
#include "context.h"
#include "site.h"

#include "engine/namespaces.h"

#include "base/error.h"
#include "base/process.h"
#include "base/text.h"

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include <memory>
#include <sys/statvfs.h>
#include <unistd.h>

namespace cli {
namespace {

using engine::Finding;

struct Tool {
    const char* what;
    std::vector<std::string> command;
    const char* package;
    const char* for_what;
};

Finding look_for(const Tool& tool) {
    Finding finding{.what = tool.what, .ok = false, .detail = {}, .hint = {}};
    if (base::find_program(tool.command.front()).empty()) {
        finding.detail = "not installed";
        finding.hint = "apt-get install " + std::string(tool.package) + " (" + tool.for_what + ")";
        return finding;
    }
    base::Command command;
    command.argv = tool.command;
    command.environment = base::minimal_environment();
    const auto result =
        base::run(std::move(command), base::Stop{}.within(std::chrono::seconds(10)));
    const auto said = base::trim(result.output.empty() ? result.error : result.output);
    finding.ok = true;
    finding.detail = base::printable(said.substr(0, said.find('\n')));
    return finding;
}

std::vector<Finding> tools() {
    return {
        look_for({"git", {"git", "--version"}, "git", "repositories"}),
        look_for({"ssh", {"ssh", "-V"}, "openssh-client", "ssh-keygen makes host keys"}),
        look_for({"mmdebstrap", {"mmdebstrap", "--version"}, "mmdebstrap", "slipway stack create"}),
        look_for({"docker-registry",
                  {"docker-registry", "--version"},
                  "docker-registry",
                  "unless registry.url is set"})};
}

// Of the programs that do the work, which is where a broken library shows.
Finding look_at_door() {
    Finding finding{.what = "slipway-ssh", .ok = false, .detail = {}, .hint = {}};
    base::Command command;
    command.argv = {(program_directory() / "slipway-ssh").string()};
    command.environment = base::minimal_environment();
    try {
        const auto result =
            base::run(std::move(command), base::Stop{}.within(std::chrono::seconds(10)));
        finding.ok = result.status.signal == 0 && result.status.code != 127;
        finding.detail = finding.ok ? "it starts" : base::printable(base::trim(result.error));
        if (!finding.ok) finding.hint = "apt-get install libssh-4";
    } catch (const base::Error& error) {
        finding.detail = error.message();
    }
    return finding;
}

Finding look_at_disk(const Context& context) {
    Finding finding{.what = "disk", .ok = false, .detail = {}, .hint = {}};
    auto directory = context.state_directory();
    while (!std::filesystem::exists(directory) && directory.has_relative_path())
        directory = directory.parent_path();
    struct statvfs info {};
    if (::statvfs(directory.c_str(), &info) != 0) {
        finding.detail = "cannot look at " + directory.string();
        return finding;
    }
    const auto free = static_cast<std::uint64_t>(info.f_bavail) * info.f_frsize;
    finding.ok = free > (2ull << 30);
    finding.detail = base::human_bytes(free) + " free at " + directory.string();
    if (!finding.ok) finding.hint = "Stacks and builds want a few gigabytes.";
    return finding;
}

Finding look_at_server(const Context& context) {
    Finding finding{.what = "server", .ok = false, .detail = {}, .hint = {}};
    try {
        const auto info = server_info(context);
        finding.ok = true;
        finding.detail = "slipwayd " + text_of(info, "version") + ", " +
                         text_of(info.at("ssh"), "url") + ", registry " +
                         text_of(info, "registry") + ", stack " +
                         (text_of(info, "stack").empty() ? "none" : text_of(info, "stack"));
        if (text_of(info, "stack").empty()) finding.hint = "slipway stack create debian-12";
    } catch (const base::Error& error) {
        finding.detail = error.message();
        finding.hint = error.hint();
    }
    return finding;
}

void print(const std::vector<Finding>& findings, const Context& context) {
    if (!context.json) {
        for (const auto& finding : findings) {
            print_line((finding.ok ? "ok    " : "BAD   ") + finding.what +
                       (finding.detail.empty() ? "" : ": " + finding.detail));
            if (!finding.hint.empty()) print_line("      " + finding.hint);
        }
        return;
    }
    auto list = base::json::Value::array();
    for (const auto& finding : findings)
        list.push_back({{"what", finding.what},
                        {"ok", finding.ok},
                        {"detail", finding.detail},
                        {"hint", finding.hint}});
    print_json({{"findings", list}});
}

void doctor(Context& context, const std::string& runtime) {
    const unsigned first_id = ::geteuid() == 0 ? first_id_of_root : 0;
    auto findings = engine::probe(runtime, program_directory() / "slipway-init", first_id);
    for (auto& finding : tools()) findings.push_back(std::move(finding));
    findings.push_back(look_at_door());
    findings.push_back(look_at_disk(context));
    findings.push_back(look_at_server(context));
    print(findings, context);
    for (const auto& finding : findings)
        if (!finding.ok) context.exit_code = exit_code::other;
}

} // namespace

void add_doctor(CLI::App& root, Context& context) {
    const auto runtime = std::make_shared<std::string>("crun");
    auto* doctor_command = root.add_subcommand("doctor", "what this machine lacks");
    doctor_command->add_option("--runtime", *runtime, "the OCI runtime to try (crun)");
    doctor_command->callback([&context, runtime] { doctor(context, *runtime); });
}

} // namespace cli
