// The words of a command line before they are parsed. Pure.
#pragma once

#include <functional>
#include <string>
#include <vector>

namespace cli {

// "config:set" -> "config" "set", as people who come from Heroku type it: the first word that is no
// option, when is_noun knows its first half.
std::vector<std::string> split_alias(std::vector<std::string> words,
                                     const std::function<bool(const std::string&)>& is_noun);

} // namespace cli
