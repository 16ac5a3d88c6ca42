// Makes a stack's two images from Debian's packages and pushes them. main's thread.
#pragma once

#include "context.h"

#include <string>

namespace cli {

struct StackReferences {
    std::string build; // with digests
    std::string run;
};

// on_line: what a person sees while it works.
StackReferences create_stack(const Context& context, const base::json::Value& server_info,
                             const std::string& name,
                             const std::function<void(const std::string&)>& on_line);

} // namespace cli
