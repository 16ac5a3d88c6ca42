// What several commands ask the server about itself. main's thread.
#pragma once

#include "context.h"

#include <string>

namespace cli {

// GET /v1/server. Of a server on another machine without what is true there alone: paths, and a
// password's file.
base::json::Value server_info(const Context& context);

// The stack that builds use, and one by its name. Throw Error{not_found} with the way out.
base::json::Value current_stack(const Context& context);
base::json::Value find_stack(const Context& context, const std::string& name);

enum class Current { no, yes };
// References with digests. Returns the stack as the server has it.
base::json::Value use_stack(const Context& context, const std::string& name,
                            const std::string& build, const std::string& run, Current current);

} // namespace cli
