#include "site.h"

#include "api_client.h"

#include "base/error.h"
#include "base/text.h"

#include <nlohmann/json.hpp>

namespace cli {

using base::json::Value;

Value server_info(const Context& context) {
    auto info = member(context.api().get(api_path({"server"})), "server");
    if (!context.api().endpoint().is_remote()) {
        // The operator pushes stacks past what stands between the registry and other people.
        info["registry_public"] = info.at("registry");
        if (auto local = base::json::find_string(info, "registry_local")) info["registry"] = *local;
        return info;
    }
    info.erase("registry_user");
    info.erase("registry_password_file");
    if (const auto build = info.find("build"); build != info.end() && build->is_object())
        for (const char* path : {"buildpacks", "launcher", "ca_certificates", "first_id"})
            build->erase(path);
    return info;
}

Value current_stack(const Context& context) {
    for (const auto& stack : context.api().list(api_path({"stacks"}), "stacks"))
        if (base::json::find_bool(stack, "current", false)) return stack;
    throw base::Error(base::ErrorKind::not_found, "there is no stack yet",
                      "Make one with: slipway stack create debian-12");
}

// Names may have slashes in them, which no path of a URL takes.
Value find_stack(const Context& context, const std::string& name) {
    for (const auto& stack : context.api().list(api_path({"stacks"}), "stacks"))
        if (base::json::find_string(stack, "name") == name) return stack;
    throw base::Error(base::ErrorKind::not_found, "there is no stack " + base::quoted(name),
                      "slipway stack list shows those that are there.");
}

Value use_stack(const Context& context, const std::string& name, const std::string& build,
                const std::string& run, Current current) {
    const Value stack{
        {"stack",
         {{"name", name}, {"build", build}, {"run", run}, {"current", current == Current::yes}}}};
    return member(context.api().post(api_path({"stacks"}), stack), "stack");
}

} // namespace cli
