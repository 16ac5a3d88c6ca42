// Folders of buildpacks as people write them.
#pragma once

#include "packages/contents.h"

#include "base/fd.h"

#include <filesystem>
#include <string>
#include <sys/stat.h>

namespace folders {

inline void write_program(const std::filesystem::path& path, const std::string& text) {
    std::filesystem::create_directories(path.parent_path());
    base::write_file(path, text);
    ::chmod(path.c_str(), 0755);
}

// A buildpack that does nothing; `more` goes to the end of its buildpack.toml.
inline std::filesystem::path make(const std::filesystem::path& folder, const std::string& id,
                                  const std::string& version, const std::string& more = {}) {
    write_program(folder / "bin/detect", "#!/bin/sh\n");
    write_program(folder / "bin/build", "#!/bin/sh\n");
    base::write_file(folder / "buildpack.toml", "api = \"0.10\"\n[buildpack]\nid = \"" + id +
                                                    "\"\nversion = \"" + version +
                                                    "\"\nname = \"Test\"\n" + more);
    return folder;
}

inline std::filesystem::path make_composite(const std::filesystem::path& folder,
                                            const std::string& id, const std::string& order) {
    std::filesystem::create_directories(folder);
    base::write_file(folder / "buildpack.toml",
                     "api = \"0.10\"\n[buildpack]\nid = \"" + id +
                         "\"\nversion = \"1.0.0\"\nhomepage = \"https://example.com\"\n" + order);
    return folder;
}

inline packages::Contents contents(const std::vector<std::filesystem::path>& all) {
    buildpacks::Catalog catalog;
    for (const auto& folder : all) packages::add_folder(folder, catalog);
    return packages::contents_of(catalog);
}

} // namespace folders
