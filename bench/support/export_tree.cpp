// The phases export and publish of the pipeline, as a build runs them, on a directory that lies
// there: for bench/export, which cannot have a sandbox and a fetch in what it measures.
//   export_tree TREE REGISTRY REPOSITORY STATE LAUNCHER
// STATE keeps what an app's cache keeps between builds. Prints the digest, what was sent and the
// most memory that was held, in kilobytes.
#include "builder/target.h"
#include "phases/export.h"
#include "phases/publish.h"
#include "pipeline/pipeline.h"
#include "previous_image.h"

#include "base/error.h"
#include "base/fd.h"

#include <cstdlib>
#include <iostream>

namespace {

namespace fs = std::filesystem;
using namespace builder;

registry::PinnedImage nothing() {
    image::Image empty(image::this_architecture());
    return {image::Reference::parse("127.0.0.1/nothing@" + empty.digest().render()), empty};
}

// Not getrusage's: that one begins with what the parent held.
long peak_kilobytes() {
    const auto status = base::read_file("/proc/self/status");
    const auto at = status.find("VmHWM:");
    return at == std::string::npos ? 0 : std::strtol(status.c_str() + at + 6, nullptr, 10);
}

int run(const fs::path& tree, const RegistryTarget& target, const fs::path& state,
        const fs::path& launcher) {
    Workspace workspace(state / "work");
    workspace.app = tree;
    for (const auto& directory : {workspace.layers, workspace.bills / "launch"})
        fs::create_directories(directory);
    const auto last = state / "previous";
    Job job;
    job.target = target;
    if (fs::exists(last)) job.previous = base::read_file(last);

    const base::Stop stop;
    const registry::Settings settings;
    Reporter report(2, 1 << 20);
    const auto run_image = nothing();
    const auto previous =
        PreviousImageReader(job, image::this_architecture(), settings, stop).take(report);
    const auto store = open_target(job.target, settings);
    LayerIndex index(state / "exported", [&](const std::string& text) { report.body(text); });
    const std::vector<BuiltMember> built;
    const auto exported = export_image({.workspace = workspace,
                                        .user = {},
                                        .run_image = run_image,
                                        .run_image_name = "nothing",
                                        .built = built,
                                        .previous = previous ? &*previous : nullptr,
                                        .launcher = launcher,
                                        .target = *store,
                                        .index = index},
                                       report, stop);
    index.commit();
    const auto published =
        publish({job.target, exported, *store, {run_image.reference, *store}}, stop);
    const auto digest = exported.image.digest().render();
    base::write_file(last, digest);
    std::cout << digest << " " << published.sent << " " << published.blobs << " "
              << published.sent_bytes << " " << peak_kilobytes() << "\n";
    return 0;
}

} // namespace

int main(int argc, char** argv) {
    if (argc != 6) {
        std::cerr << "usage: export_tree TREE REGISTRY REPOSITORY STATE LAUNCHER\n";
        return 2;
    }
    try {
        give_back_freed_memory();
        return run(argv[1], {argv[2], argv[3], "latest"}, argv[4], argv[5]);
    } catch (const base::Error& error) {
        std::cerr << error.describe() << "\n";
        return 1;
    }
}
