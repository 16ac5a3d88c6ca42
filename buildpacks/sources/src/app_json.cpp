#include "app_json.h"

#include "base/error.h"
#include "base/json.h"

#include <nlohmann/json.hpp>

namespace sources {
namespace {

[[noreturn]] void refuse(const std::string& file, const std::string& why) {
    throw base::Error(base::ErrorKind::invalid_input, file + ": " + why,
                      "It is written so: \"buildpacks\": [{\"url\": \"https://...\"}].");
}

} // namespace

std::vector<std::string> buildpacks_of_app_json(std::string_view json, const std::string& file) {
    const auto value = base::json::parse(json, file);
    std::vector<std::string> urls;
    if (!value.is_object()) return urls; // another program's file of that name
    const auto list = value.find("buildpacks");
    if (list == value.end() || list->is_null()) return urls;
    if (!list->is_array()) refuse(file, "\"buildpacks\" is not a list");
    for (const auto& element : *list) {
        const auto which = "number " + std::to_string(urls.size() + 1) + " of \"buildpacks\" ";
        if (element.is_string()) {
            urls.push_back(element.get<std::string>());
            continue;
        }
        if (!element.is_object()) refuse(file, which + "is neither an object nor a string");
        const auto url = element.find("url");
        if (url == element.end() || !url->is_string()) refuse(file, which + "has no url");
        urls.push_back(url->get<std::string>());
    }
    return urls;
}

} // namespace sources
