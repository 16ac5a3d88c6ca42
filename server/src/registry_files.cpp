#include "registry_files.h"

#include "base/error.h"
#include "base/fd.h"
#include "base/temp_dir.h"
#include "base/text.h"

#include <algorithm>

namespace server {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t longest_link = 256;
constexpr std::size_t longest_manifest = 16u << 20;
constexpr std::string_view algorithm = "sha256";

// Entries come and go while it runs: what is gone in the middle of the walk is not there.
template <class F>
void each_entry(const fs::path& directory, F&& f) {
    std::error_code gone;
    for (fs::directory_iterator it(directory, gone), end; !gone && it != end; it.increment(gone))
        f(it->path());
}

std::optional<image::Digest> parse(const std::string& text) {
    try {
        return image::Digest::parse(base::trim(text));
    } catch (const base::Error&) {
        return std::nullopt;
    }
}

std::optional<std::string> read_if_there(const fs::path& file, std::size_t limit) {
    try {
        return base::read_file(file, limit);
    } catch (const base::Error&) {
        if (!fs::exists(file)) return std::nullopt;
        throw;
    }
}

} // namespace

// A name's parts begin with a letter or a digit; what begins with "_" is a repository's own.
std::vector<std::string> RegistryFiles::repositories() const {
    std::vector<std::string> found;
    const auto top = root_ / "repositories";
    std::error_code gone;
    for (fs::recursive_directory_iterator it(top, gone), end; !gone && it != end;
         it.increment(gone)) {
        const auto name = it->path().filename().string();
        if (!name.starts_with('_')) continue;
        it.disable_recursion_pending();
        if (name == "_manifests")
            found.push_back(it->path().parent_path().lexically_relative(top).string());
    }
    std::sort(found.begin(), found.end());
    return found;
}

std::vector<RegistryFiles::Manifest> RegistryFiles::manifests(const std::string& repository) const {
    std::vector<Manifest> found;
    each_entry(of(repository) / "_manifests/revisions" / algorithm, [&](const fs::path& entry) {
        std::error_code gone;
        const auto written = fs::last_write_time(entry / "link", gone);
        const auto digest = parse(std::string(algorithm) + ":" + entry.filename().string());
        if (!gone && digest) found.push_back({*digest, written});
    });
    return found;
}

std::map<std::string, image::Digest> RegistryFiles::tags(const std::string& repository) const {
    std::map<std::string, image::Digest> found;
    each_entry(of(repository) / "_manifests/tags", [&](const fs::path& entry) {
        const auto link = read_if_there(entry / "current/link", longest_link);
        if (const auto digest = link ? parse(*link) : std::nullopt)
            found.emplace(entry.filename().string(), *digest);
    });
    return found;
}

std::map<image::Digest, std::uint64_t> RegistryFiles::blobs() const {
    std::map<image::Digest, std::uint64_t> found;
    each_entry(root_ / "blobs" / algorithm, [&](const fs::path& first_letters) {
        each_entry(first_letters, [&](const fs::path& entry) {
            std::error_code gone;
            const auto bytes = fs::file_size(entry / "data", gone);
            const auto digest = parse(std::string(algorithm) + ":" + entry.filename().string());
            if (!gone && digest) found.emplace(*digest, bytes);
        });
    });
    return found;
}

std::optional<std::string> RegistryFiles::read(const image::Digest& digest) const {
    const auto hex = digest.hex();
    return read_if_there(root_ / "blobs" / algorithm / hex.substr(0, 2) / hex / "data",
                         longest_manifest);
}

void RegistryFiles::remove_manifest(const std::string& repository,
                                    const image::Digest& digest) const {
    base::remove_tree(of(repository) / "_manifests/revisions" / algorithm / digest.hex());
}

void RegistryFiles::remove_tag(const std::string& repository, const std::string& tag) const {
    base::remove_tree(of(repository) / "_manifests/tags" / tag);
}

void RegistryFiles::remove_repository(const std::string& repository) const {
    for (const auto* part : {"_manifests", "_layers", "_uploads"})
        base::remove_tree(of(repository) / part);
}

} // namespace server
