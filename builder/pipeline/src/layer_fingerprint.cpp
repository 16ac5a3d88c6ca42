#include "layer_fingerprint.h"

#include "base/beneath.h"
#include "base/error.h"
#include "image/digest.h"

#include <climits>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

namespace builder {
namespace {

constexpr unsigned deepest = 256; // as a layer may be

class Walk {
  public:
    void directory(const std::filesystem::path& root, const std::string& relative, unsigned depth) {
        if (depth > deepest) base::throw_errno(ELOOP, "the layer is too deep");
        const auto directory = base::open_beneath(root, relative, O_RDONLY | O_DIRECTORY);
        if (!directory) base::throw_errno(ENOENT, "the layer has no directory " + relative);
        for (const auto& entry : base::list_beneath(root, relative)) {
            const auto name = relative.empty() ? entry.name : relative + "/" + entry.name;
            add(directory.get(), entry.name, name);
            if (entry.type == base::EntryType::directory) this->directory(root, name, depth + 1);
        }
    }

    LayerFingerprint result() const { return {image::Digest::of(text_).render(), bytes_}; }

  private:
    void add(int directory, const std::string& entry, const std::string& name) {
        struct stat status {};
        if (::fstatat(directory, entry.c_str(), &status, AT_SYMLINK_NOFOLLOW) != 0)
            base::throw_errno("could not read " + name);
        text_ += name + '\0' + std::to_string(status.st_mode);
        // A directory's time changes with the names in it, which stand here themselves.
        if (!S_ISDIR(status.st_mode))
            text_ += ' ' + std::to_string(status.st_size) + ' ' +
                     std::to_string(status.st_mtim.tv_sec) + '.' +
                     std::to_string(status.st_mtim.tv_nsec);
        if (S_ISLNK(status.st_mode)) add_target(directory, entry);
        text_ += '\n';
        if (S_ISREG(status.st_mode)) bytes_ += static_cast<std::uint64_t>(status.st_size);
    }

    void add_target(int directory, const std::string& entry) {
        char target[PATH_MAX];
        const auto size = ::readlinkat(directory, entry.c_str(), target, sizeof target);
        if (size > 0) text_.append(" ").append(target, static_cast<std::size_t>(size));
    }

    std::string text_;
    std::uint64_t bytes_ = 0;
};

} // namespace

LayerFingerprint fingerprint_of(const std::filesystem::path& layer) {
    try {
        Walk walk;
        walk.directory(layer, "", 0);
        return walk.result();
    } catch (const base::Error&) {
        return {};
    }
}

} // namespace builder
