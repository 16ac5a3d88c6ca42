// Brings buildpacks here: into a directory that all builds of a server share.
//   <store>/git/<key>/            a mirror, fetched when a ref is not a known commit
//   <store>/trees/<commit or digest>/   a checkout, an unpacked archive or layer: complete as soon
//                                 as it has this name, never changed afterwards
//   <store>/urls/<key>.json       which digest an archive's URL had, and its validators
//   <store>/images/               a registry::ImageStore
// Several workers use one store at a time. Blocks; git is a program of its own. An SSH URL is read
// over https: a server has no key of its own to show.
#pragma once

#include "sources/choice.h"

#include "base/stop.h"
#include "buildpacks/catalog.h"
#include "registry/image_store.h"

#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace sources {

// Whom a build may call for buildpacks. URLs come from strangers: the address a name resolves to is
// checked when it is used, private and loopback ranges are refused unless the host is allowed, no
// redirect leads elsewhere unchecked, and no credential of the server is ever sent.
struct Access {
    enum class Hosts { any, listed_private } hosts = Hosts::listed_private; // any: `slipway build`
    std::vector<std::string> allowed_private_hosts;                         // "git.corp.example"
    std::string ca_file;
    bool submodules = false;
    std::uint64_t most_bytes = 2ull << 30; // of one source
};

struct FetcherSettings {
    std::filesystem::path store;
    std::filesystem::path app;  // relative folders lie below it and nowhere else
    std::filesystem::path work; // of this build alone: copies of folders, generated buildpacks
    enum class Folders { app_only, any } folders = Folders::app_only;
    Access access;
    // For buildpackages. Unless Access::Hosts::any its credentials are left out, but those that are
    // for strangers.
    registry::Settings registry;
};

// One wanted buildpack, here.
struct Fetched {
    buildpacks::OrderElement element; // what an order names it by
    std::string pinned;               // "https://host/x#<commit>", "host/x@sha256:..."; for people
};

class Fetcher {
  public:
    // on_line: what is being fetched, one printable sentence a call.
    Fetcher(FetcherSettings settings, std::function<void(const std::string&)> on_line);
    ~Fetcher();

    // Adds what it finds to the catalog (a buildpackage brings several) and names the one that was
    // wanted. An id that is in the catalog is not fetched. Throws Error{invalid_input | not_found |
    // denied | limit_exceeded | unavailable} with the source's name.
    Fetched fetch(const Wanted& wanted, buildpacks::Catalog& catalog, const base::Stop& stop);

  private:
    struct State;
    std::unique_ptr<State> state_;
};

// The buildpacks, order and system.toml of a builder image whose root the sandbox has: `layers`
// topmost first (registry::ImageStore::unpack).
void add_builder(const std::vector<std::filesystem::path>& layers, buildpacks::Catalog& catalog);
// Whether an image is a builder: it has an order (label io.buildpacks.buildpack.order or
// /cnb/order.toml).
bool is_builder(const image::Image& image);

} // namespace sources
