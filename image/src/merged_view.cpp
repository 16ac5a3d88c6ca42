#include "merged_view.h"

#include "base/error.h"
#include "base/text.h"

#include <cerrno>
#include <fcntl.h>
#include <sys/xattr.h>
#include <unistd.h>

namespace image {
namespace {

enum class Seen { found, absent, hidden };

Seen look_into(const std::filesystem::path& layer, std::string_view name, FoundBelow& found) {
    constexpr int flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW;
    found.parent = base::open_file(layer, flags);
    bool opaque = is_opaque(found.parent.get());
    while (true) {
        const auto slash = name.find('/');
        found.base = name.substr(0, slash);
        if (::fstatat(found.parent.get(), found.base.c_str(), &found.status, AT_SYMLINK_NOFOLLOW) !=
            0) {
            if (errno != ENOENT)
                base::throw_errno("could not read " + base::quoted(name) + " of a layer");
            return opaque ? Seen::hidden : Seen::absent;
        }
        if (S_ISCHR(found.status.st_mode)) return Seen::hidden; // a whiteout: there are no others
        if (slash == name.npos) return Seen::found;
        if (!S_ISDIR(found.status.st_mode)) return Seen::hidden;
        base::UniqueFd inner(::openat(found.parent.get(), found.base.c_str(), flags | O_CLOEXEC));
        if (!inner) base::throw_errno("could not read " + base::quoted(name) + " of a layer");
        opaque = opaque || is_opaque(inner.get());
        found.parent = std::move(inner);
        name.remove_prefix(slash + 1);
    }
}

} // namespace

bool is_opaque(int directory) {
    char value = 0;
    return ::fgetxattr(directory, opaque_attribute, &value, 1) == 1 && value == 'y';
}

std::optional<FoundBelow> find_below(const LayersBelow& layers, std::string_view name) {
    for (const auto& layer : layers) {
        FoundBelow found;
        const auto seen = look_into(layer, name, found);
        if (seen == Seen::found) return found;
        if (seen == Seen::hidden) break;
    }
    return std::nullopt;
}

} // namespace image
