// The files that a Cloud Native buildpack writes, read with distrust: by the descriptor, without
// following links, every error naming the file.
#pragma once

#include "buildpacks/buildpack.h"

#include "base/error.h"
#include "base/text.h"

#include <nlohmann/json.hpp>

namespace buildpacks {

// The plan file of bin/detect: its top section, then each `or`.
std::vector<PlanSection> read_build_plan(const std::filesystem::path& slot, const std::string& file,
                                         const std::string& whose);

// buildpack.toml or extension.toml; `what` is the table that says which it is. Throws
// Error{invalid_input} for an id or an API that cannot be.
Info read_info(const nlohmann::json& table, const char* what);
// Those that its API has; positional arguments are there for all of them.
void add_api_variables(Environment& environment, const Info& info, const Places& places);
// The exit code of bin/detect, and when it passed the plan in a file below `root`.
Detection read_cnb_detection(base::ExitStatus status, std::string output,
                             const std::filesystem::path& root, const std::string& file,
                             const std::string& whose);

// <layers>/<escaped id>: layers, launch.toml, build.toml, store.toml, bills of materials. Ignored
// layers are renamed to <layer>.ignore, so that no later buildpack comes to depend on them.
Built read_layers_directory(const std::filesystem::path& layers, const Info& info);

// What launch.toml says, as the buildpack's API has it (cnb_launch.cpp).
void read_launch(const nlohmann::json& table, const Info& info, Built& built);
// The *.sbom.* files of the directory (cnb_bills.cpp). built.layers are there already.
void read_bills(const std::filesystem::path& layers, const Info& info, Built& built);

// The buildpack plan handed to bin/build.
std::string render_plan(const std::vector<PlanEntry>& plan);

[[noreturn]] inline void refuse(const std::string& reason) {
    throw base::Error(base::ErrorKind::invalid_input, reason);
}

// A wrong type deep in a file names the file: base::json names the member.
template <class F>
auto in_file(const std::string& file, F&& f) -> decltype(f()) {
    const auto wrong = [&](const std::string& reason) {
        throw base::Error(base::ErrorKind::buildpack_failed, base::printable(file) + ": " + reason);
    };
    try {
        return f();
    } catch (const base::Error& error) {
        if (error.kind() != base::ErrorKind::invalid_input) throw;
        wrong(error.message());
    } catch (const nlohmann::json::exception&) {
        wrong("a value has the wrong type");
    }
    throw; // not reached: wrong() throws
}

// A list of a table; empty when it is absent. Throws Error{invalid_input} when it is no list.
const nlohmann::json& list_of(const nlohmann::json& table, const char* name);
// A table in a table; null when it is absent. Throws Error{invalid_input} when it is no table.
nlohmann::json table_of(const nlohmann::json& table, const char* name);

} // namespace buildpacks
