// The record of a detection (docs/buildpacks/detection.md), for a person. main's thread.
#pragma once

#include "base/json.h"

#include <functional>
#include <string>

namespace cli {

void print_detection(const base::json::Value& record);
// The same, line by line to wherever.
void tell_detection(const base::json::Value& record,
                    const std::function<void(const std::string&)>& line);

} // namespace cli
