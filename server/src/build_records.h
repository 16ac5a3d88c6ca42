// What a build leaves beside its log: "detection", "report" and "materials" (builder/event.h,
// Record), one JSON document a line in <logs>/<build>.<name>.json. One writer, the build's slot;
// any reader.
#pragma once

#include "base/json.h"

#include <filesystem>
#include <string>
#include <string_view>

namespace server {

// Throws Error when the disk is full.
void append_record(const std::filesystem::path& logs, const std::string& build,
                   const std::string& name, std::string_view json);
// In the order they came; an empty list when there is none.
base::json::Value read_records(const std::filesystem::path& logs, const std::string& build,
                               const std::string& name);
void remove_records(const std::filesystem::path& logs, const std::string& build);

} // namespace server
