// What a tree takes from those that it will lie on.
#include "merged_view.h"
#include "tree_entry.h"
#include "tree_writer.h"

#include "base/error.h"

#include <algorithm>
#include <cerrno>
#include <dirent.h>
#include <fcntl.h>
#include <memory>
#include <sys/sendfile.h>
#include <unistd.h>

namespace image {
namespace {

constexpr int most_links = 40; // as the kernel
constexpr std::size_t longest_target = 4095;

std::string read_link(int parent, const std::string& base, std::string_view name) {
    std::string target(longest_target + 1, '\0');
    const auto n = ::readlinkat(parent, base.c_str(), target.data(), target.size());
    if (n < 0) fail_at(name);
    target.resize(static_cast<std::size_t>(n));
    return target;
}

void copy_bytes(int from, int to, std::uint64_t size, std::string_view name) {
    while (size > 0) {
        const auto n = ::sendfile(to, from, nullptr, std::min<std::uint64_t>(size, 1u << 30));
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) fail_at(name);
        if (n == 0) refuse_entry(name, "changed while it was read");
        size -= static_cast<std::uint64_t>(n);
    }
}

void copy_link(const FoundBelow& found, int parent, const std::string& base,
               std::string_view name) {
    const auto target = read_link(found.parent.get(), found.base, name);
    if (::symlinkat(target.c_str(), parent, base.c_str()) != 0) fail_at(name);
    set_attributes(parent, base, name, attributes_of(found.status), true);
}

} // namespace

std::optional<FoundBelow> TreeWriter::look_below(std::string_view name) {
    if (!below_) throw NeedsBelow{};
    stands_alone_ = false;
    return find_below(*below_, name);
}

// The slow way to a directory, part by part: what is missing is made, or copied up with the
// attributes that it has below.
TreeWriter::Way TreeWriter::make_way(std::string_view name) {
    std::vector<std::pair<std::string, Part>> todo; // the next one last
    const auto push = [&todo](std::string_view path, Part part) {
        while (!path.empty()) {
            const auto slash = path.rfind('/');
            const auto last = slash == path.npos ? path : path.substr(slash + 1);
            if (!last.empty() && last != ".") todo.emplace_back(last, part);
            path = path.substr(0, slash == path.npos ? 0 : slash);
        }
    };
    push(name, Part::named);
    Way way{open_directory(""), ""};
    for (int links = 0; !todo.empty();) {
        const auto [base, part] = todo.back();
        struct stat status;
        if (base == "..") { // of a link: the root is its own parent
            way.name = std::string(split_name(way.name).first);
        } else if (::fstatat(way.directory.get(), base.c_str(), &status, AT_SYMLINK_NOFOLLOW) !=
                   0) {
            if (errno != ENOENT) fail_at(name);
            make_parent(way, base, name, part);
            continue;                         // it is there now
        } else if (S_ISCHR(status.st_mode)) { // taken away by this layer, and begun anew
            if (::unlinkat(way.directory.get(), base.c_str(), 0) != 0 ||
                ::mkdirat(way.directory.get(), base.c_str(), 0700) != 0 ||
                ::fchmodat(way.directory.get(), base.c_str(), directory_mode_, 0) != 0)
                fail_at(name);
            ++implied_;
            make_opaque(join_name(way.name, base));
            continue;
        } else if (S_ISDIR(status.st_mode)) {
            way.name = join_name(way.name, base);
        } else if (!S_ISLNK(status.st_mode) || links_ == LinkedParents::refuse) {
            refuse_entry(name, "is a link or a file but has entries in it");
        } else {
            if (++links > most_links) refuse_entry(name, "is behind links without end");
            const auto target = read_link(way.directory.get(), base, name);
            todo.pop_back();
            if (target.starts_with('/')) way = {open_directory(""), ""};
            push(target, Part::of_link);
            continue;
        }
        todo.pop_back();
        way.directory = open_directory(way.name);
        if (!way.directory) fail_at(name);
    }
    return way;
}

void TreeWriter::make_parent(const Way& way, const std::string& base, std::string_view name,
                             Part part) {
    const auto full = join_name(way.name, base);
    const auto found = look_below(full);
    ++implied_;
    if (found && S_ISLNK(found->status.st_mode)) {
        copies_.insert(full);
        return copy_link(*found, way.directory.get(), base, name);
    }
    if (found && !S_ISDIR(found->status.st_mode))
        refuse_entry(name, "is below what is a file in a layer below");
    if (!found && part == Part::of_link)
        refuse_entry(name, "is a link to nothing but has entries in it");
    if (::mkdirat(way.directory.get(), base.c_str(), 0700) != 0) fail_at(name);
    const auto attributes =
        found ? attributes_of(found->status) : EntryAttributes{.mode = directory_mode_};
    set_attributes(way.directory.get(), base, name, attributes, false);
    if (attributes.mtime) times_.emplace_back(full, *attributes.mtime);
    copies_.insert(full);
}

// Answers the directory that it is in.
base::UniqueFd TreeWriter::copy_up_file(std::string_view name, std::string_view asked) {
    const auto [parent, base] = split_name(name);
    auto way = make_way(parent);
    struct stat status;
    if (::fstatat(way.directory.get(), base.c_str(), &status, AT_SYMLINK_NOFOLLOW) == 0)
        return std::move(way.directory); // behind a link that was below
    const auto full = join_name(way.name, base);
    const auto found = look_below(full);
    if (found && S_ISLNK(found->status.st_mode)) {
        copy_link(*found, way.directory.get(), base, name);
    } else if (found && S_ISREG(found->status.st_mode)) {
        const base::UniqueFd from(
            ::openat(found->parent.get(), found->base.c_str(), O_RDONLY | O_NOFOLLOW | O_CLOEXEC));
        if (!from) fail_at(name);
        auto file = open_file(full);
        const auto size = static_cast<std::uint64_t>(found->status.st_size);
        copy_bytes(from.get(), file.get(), size, name);
        close_file(std::move(file), size, attributes_of(found->status));
        copied_ += size;
    } else {
        refuse_entry(asked, links_to_nothing);
    }
    ++implied_;
    copies_.insert(full);
    return std::move(way.directory);
}

void TreeWriter::remove_copy(const std::string& name) {
    const auto [parent, base] = split_name(name);
    const auto directory = open_directory(parent);
    if (!directory || ::unlinkat(directory.get(), base.c_str(), 0) == 0) return;
    if (errno != EISDIR && errno != EPERM) fail_at(name);
    // Of a directory whiteouts alone are of no use; what else is in it is the layer's own.
    const std::unique_ptr<DIR, int (*)(DIR*)> list(::fdopendir(open_directory(name).release()),
                                                   ::closedir);
    if (!list) fail_at(name);
    while (const dirent* entry = ::readdir(list.get()))
        if (entry->d_type == DT_CHR && ::unlinkat(::dirfd(list.get()), entry->d_name, 0) != 0)
            fail_at(name);
    if (::unlinkat(directory.get(), base.c_str(), AT_REMOVEDIR) != 0 && errno != ENOTEMPTY)
        fail_at(name);
}

// The layer takes away what is below a name. Names in a directory come after its own.
void TreeWriter::forget_copies_in(const std::string& directory) {
    const auto prefix = directory.empty() ? "" : directory + "/";
    const auto first = copies_.lower_bound(prefix);
    auto end = first;
    while (end != copies_.end() && end->starts_with(prefix)) ++end;
    for (auto copy = end; copy != first;) remove_copy(*--copy);
    copies_.erase(first, end);
    parent_name_ = "/"; // may be gone
}

void TreeWriter::forget_copies(const std::string& name) {
    forget_copies_in(name);
    if (const auto copy = copies_.find(name); copy != copies_.end()) {
        remove_copy(name);
        copies_.erase(copy);
    }
}

} // namespace image
