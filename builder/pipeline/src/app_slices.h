// Cuts the application directory into layers (buildpack.md, "launch.toml", slices): each slice
// takes what its globs match and no slice before it took, directories with all they hold; a last
// layer takes the rest. The tree is listed once, links are never followed; one thread.
#pragma once

#include "buildpacks/buildpack.h"

#include <filesystem>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace builder {

// Go's path/filepath.Match, which the specification names: `*` and `?` never match a slash,
// [a-z], [^a-z], a backslash takes the next as it is. Throws Error{buildpack_failed} for a pattern
// that is none.
bool matches_glob(std::string_view pattern, std::string_view path);

class AppSlices {
  public:
    // inside: where the app lies in the image; globs may be absolute below it.
    AppSlices(const std::filesystem::path& app, std::string inside);

    // Relative names ("" is the app itself), with the directories above what was matched. Empty:
    // the slice has nothing.
    std::set<std::string, std::less<>> take(const buildpacks::Slice& slice);
    std::set<std::string, std::less<>> take_rest();

  private:
    using Names = std::set<std::string, std::less<>>;
    struct Entry {
        std::vector<std::string> children; // relative names too
        bool taken = false;
    };

    void list(const std::filesystem::path& app, const std::string& directory, unsigned depth);
    void take_tree(const std::string& name, Names& names);
    void add_parents(Names& names);

    std::string inside_;
    std::map<std::string, Entry, std::less<>> entries_;
};

} // namespace builder
