// .slugignore: files that stay out of the image of a classic build. One shell glob a line, from the
// app's root ("*" stays within a folder and matches no leading dot), a leading slash means nothing,
// "#" begins a comment (docs/buildpacks/classic.md).
#pragma once

#include "pipeline/reporter.h"

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

namespace builder {

struct SlugIgnorePatterns {
    std::vector<std::string> globs;
    std::vector<std::string> bad; // sentences that name the line
};
SlugIgnorePatterns parse_slug_ignore(std::string_view text);

// Removes what the file in `app` names and tells how much; a bad line is told and left out. Follows
// no links.
void apply_slug_ignore(const std::filesystem::path& app, Reporter& report);

} // namespace builder
