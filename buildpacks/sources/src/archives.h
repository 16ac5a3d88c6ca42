// Archives by URL and as files: unpacked once, under the digest of their bytes. One thread.
#pragma once

#include "store.h"

#include "base/json.h"
#include "image/digest.h"
#include "sources/fetcher.h"

#include <functional>

namespace sources {

struct UnpackedArchive {
    std::filesystem::path directory;
    std::string digest; // hex, of the archive's bytes
};

class Archives {
  public:
    Archives(const Store& store, const Access& access,
             const std::function<void(const std::string&)>& on_line)
        : store_(store), access_(access), on_line_(on_line) {}

    // Follows at most five redirects, each of which is checked. A server that gave an ETag or a
    // date is asked whether there is something newer.
    UnpackedArchive fetch(const ArchiveUrl& archive, const base::Stop& stop) const;
    // An open file; `name`: for messages.
    UnpackedArchive unpack(int file, const std::string& name, const base::Stop& stop) const;

  private:
    base::json::Value recall_kept(const std::string& url) const;

    const Store& store_;
    const Access& access_;
    const std::function<void(const std::string&)>& on_line_;
};

} // namespace sources
