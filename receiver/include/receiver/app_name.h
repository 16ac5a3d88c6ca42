// The app's name as a git client writes it. Pure functions on hostile text; any thread. They look
// nothing up: whether the app exists, and for whom, is the daemon's to say.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace receiver {

// 1..48 of a-z 0-9 . -, letters or digits at both ends and between dots, not ending in ".git":
// fit for a host name, an image repository and a directory alike.
bool is_app_name(std::string_view name) noexcept;

// "/shop.git" -> "shop": one leading slash and one ".git" may go. Empty for everything else.
std::optional<std::string> parse_app_path(std::string_view path);

} // namespace receiver
