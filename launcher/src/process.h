// Which process to launch (Platform API, "launcher"): the one named by the last element of argv0
// when a buildpack gave one of that name, with the user's arguments in place; otherwise the
// user's own command.
#pragma once

#include "documents.h"

#include <string>
#include <string_view>
#include <vector>

namespace launch {

Process choose_process(const Metadata& metadata, ApiVersion platform_api, std::string_view exec_env,
                       std::string_view argv0, std::vector<std::string> user_args);

} // namespace launch
