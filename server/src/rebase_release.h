// One app of a rebase, and the run images that all of them share.
#pragma once

#include "rebases.h"

#include "builder/run_layers.h"

#include "base/guarded.h"

#include <exception>
#include <map>
#include <memory>
#include <string>
#include <vector>

namespace server {

// Each is read once, whoever comes first, and so is the failure to. Any thread.
class RunImages {
  public:
    // registry: of the apps' repositories.
    RunImages(std::string registry, registry::Settings access)
        : registry_(std::move(registry)), access_(std::move(access)) {}

    struct Entry {
        builder::RunImage image;
        std::unique_ptr<builder::RunLayers> layers;
    };
    // Throws Error{not_found | unavailable | invalid_input} with its name.
    std::shared_ptr<Entry> find(const std::string& reference, const base::Stop& stop);

  private:
    struct Known {
        std::shared_ptr<Entry> entry;
        std::exception_ptr failure;
    };
    std::shared_ptr<Entry> read(const std::string& reference, const base::Stop& stop) const;

    const std::string registry_;
    const registry::Settings access_;
    base::Guarded<std::map<std::string, Known>> known_;
};

class RebaseRelease {
  public:
    RebaseRelease(const RebaseSettings& settings, const RebaseWish& wish, RunImages& images,
                  const registry::Host& host, RebasedApp& report)
        : settings_(settings), wish_(wish), images_(images), host_(host), report_(report) {}

    void run(const base::Stop& stop) noexcept; // says in the report how it went

  private:
    void rebase(const base::Stop& stop);
    void release(const apps::Build& parent, const image::Image& before,
                 const builder::Rebased& rebased, image::BlobStore& store, const base::Stop& stop);
    void publish(apps::Build& row, const apps::Build& parent, const image::Image& before,
                 const builder::Rebased& rebased, image::BlobStore& store, const base::Stop& stop);
    void prove(const apps::Build& row, const apps::Build& parent, const base::Stop& stop);
    void fail(const base::Error& error);
    void tell(const apps::Build& row) const;
    void write_log(const apps::Build& row) const;

    const RebaseSettings& settings_;
    const RebaseWish& wish_;
    RunImages& images_;
    const registry::Host& host_;
    RebasedApp& report_;
    apps::App app_;
    std::shared_ptr<RunImages::Entry> run_;
    std::vector<std::string> lines_; // of the log
};

} // namespace server
