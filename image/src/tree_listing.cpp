#include "image/tree_listing.h"

#include "base/beneath.h"
#include "base/error.h"
#include "base/fd.h"
#include "base/guarded.h"
#include "base/task_group.h"
#include "base/text.h"

#include <algorithm>
#include <climits>
#include <cstring>
#include <ctime>
#include <dirent.h>
#include <fcntl.h>
#include <memory>
#include <numeric>
#include <sys/stat.h>
#include <unistd.h>

namespace image {
namespace {

constexpr std::uint32_t deepest = 256;
// A small tree is read before another thread has begun.
constexpr std::size_t directories_before_threads = 64;
constexpr unsigned most_threads = 4;

std::int64_t nanoseconds(const timespec& time) {
    return time.tv_sec * 1'000'000'000 + time.tv_nsec;
}

// File systems stamp files with this clock, which ticks every few milliseconds.
std::int64_t file_clock() {
    timespec now{};
    ::clock_gettime(CLOCK_REALTIME_COARSE, &now);
    return nanoseconds(now);
}

TreeListing::Entry entry_of(std::string name, const struct stat& status) {
    TreeListing::Entry entry;
    entry.name = std::move(name);
    entry.mode = status.st_mode;
    entry.has_other_names = status.st_nlink > 1 && !S_ISDIR(status.st_mode);
    entry.size = S_ISREG(status.st_mode) ? static_cast<std::uint64_t>(status.st_size) : 0;
    entry.device = status.st_dev;
    entry.inode = status.st_ino;
    entry.modified = nanoseconds(status.st_mtim);
    entry.changed = nanoseconds(status.st_ctim);
    return entry;
}

std::vector<std::string> names_in(base::UniqueFd directory) {
    const std::unique_ptr<DIR, int (*)(DIR*)> stream(::fdopendir(directory.get()), ::closedir);
    if (!stream) base::throw_errno("could not list a directory");
    directory.release(); // closed with the stream
    std::vector<std::string> names;
    while (const dirent* found = (errno = 0, ::readdir(stream.get()))) {
        const std::string_view name = found->d_name;
        if (name != "." && name != "..") names.emplace_back(name);
    }
    if (errno != 0) base::throw_errno("could not list a directory");
    return names;
}

base::UniqueFd duplicate(int fd) {
    base::UniqueFd copy(::fcntl(fd, F_DUPFD_CLOEXEC, 0));
    if (!copy) base::throw_errno("could not list a directory");
    return copy;
}

} // namespace

// Threads take directories from a common list until there are none left.
class TreeListing::Walk {
  public:
    Walk(TreeListing& listing, int root, const Keep& keep, const base::Stop& stop)
        : listing_(listing), root_(root), keep_(keep), stop_(stop) {}

    void run(std::uint32_t first) {
        work_.lock()->waiting.push_back(first);
        for (std::size_t i = 0; i < directories_before_threads; ++i)
            if (!step()) return;
        base::TaskGroup threads;
        const auto all = [this](const base::Stop&) {
            while (step()) {
            }
        };
        const auto cores = std::min(base::usable_cores(), most_threads);
        for (unsigned i = 1; i < cores; ++i) threads.start(all);
        while (step()) {
        }
        threads.join();
    }

  private:
    struct Work {
        std::vector<std::uint32_t> waiting;
        unsigned busy = 0;
        bool failed = false;
    };

    // One directory; false when none is left.
    bool step() {
        Directory* directory;
        {
            auto work = work_.lock();
            work.wait([](const Work& w) { return w.failed || !w.waiting.empty() || w.busy == 0; });
            if (work->failed || work->waiting.empty()) return false;
            directory = &listing_.directories_[work->waiting.back()];
            work->waiting.pop_back();
            ++work->busy;
        }
        try {
            stop_.throw_if_over("reading a tree");
            list(*directory);
            hand_on(*directory);
        } catch (...) {
            work_.lock()->failed = true;
            work_.notify_all();
            throw;
        }
        return true;
    }

    void list(Directory& directory) {
        auto fd = base::open_beneath(root_, directory.path, O_RDONLY | O_DIRECTORY);
        if (!fd)
            throw base::Error(base::ErrorKind::invalid_input,
                              base::quoted(directory.path) + " changed while it was read",
                              "Something still writes to the build's files.");
        std::string path = directory.path;
        for (auto& name : names_in(duplicate(fd.get()))) {
            const auto length = path.size();
            if (length > 0) path += '/';
            path += name;
            if (!keep_ || keep_(path)) add(directory, fd.get(), std::move(name), path);
            path.resize(length);
        }
    }

    void add(Directory& directory, int fd, std::string name, const std::string& path) {
        struct stat status;
        if (::fstatat(fd, name.c_str(), &status, AT_SYMLINK_NOFOLLOW) != 0)
            base::throw_errno("could not read " + base::quoted(path));
        if (S_ISLNK(status.st_mode))
            directory.targets.push_back(read_link(fd, name, path));
        else if (!S_ISREG(status.st_mode) && !S_ISDIR(status.st_mode))
            throw base::Error(base::ErrorKind::invalid_input,
                              base::quoted(path) + " is neither a file, a directory nor a link",
                              "Devices, sockets and fifos cannot be part of an image: remove it "
                              "at the end of the build.");
        auto& entry = directory.entries.emplace_back(entry_of(std::move(name), status));
        if (S_ISLNK(status.st_mode))
            entry.detail = static_cast<std::uint32_t>(directory.targets.size() - 1);
    }

    static std::string read_link(int fd, const std::string& name, const std::string& path) {
        char target[PATH_MAX];
        const ssize_t n = ::readlinkat(fd, name.c_str(), target, sizeof target);
        if (n < 0) base::throw_errno("could not read the link " + base::quoted(path));
        return {target, static_cast<std::size_t>(n)};
    }

    void hand_on(Directory& directory) {
        auto work = work_.lock();
        const bool had_more = !work->waiting.empty();
        for (auto& entry : directory.entries)
            if (S_ISDIR(entry.mode)) {
                entry.detail = static_cast<std::uint32_t>(listing_.directories_.size());
                listing_.directories_.push_back(below(directory, entry));
                work->waiting.push_back(entry.detail);
            }
        --work->busy;
        if (had_more || !work->waiting.empty() || work->busy == 0) work_.notify_all();
    }

    static Directory below(const Directory& above, const Entry& entry) {
        Directory directory;
        directory.path = above.path.empty() ? entry.name : above.path + "/" + entry.name;
        directory.depth = above.depth + 1;
        if (directory.depth > deepest)
            throw base::Error(base::ErrorKind::invalid_input,
                              "the tree is deeper than 256 directories at " +
                                  base::quoted(directory.path.substr(0, 200)));
        return directory;
    }

    TreeListing& listing_;
    int root_;
    const Keep& keep_;
    const base::Stop& stop_;
    base::Guarded<Work> work_; // and who may add to the listing's directories
};

TreeListing TreeListing::read(const std::filesystem::path& root, EntryOrder order, const Keep& keep,
                              const base::Stop& stop) {
    return base::while_doing("reading the tree " + root.string(), [&] {
        TreeListing listing;
        listing.root_ = root;
        listing.order_ = order;
        listing.began_ = file_clock();
        const auto fd = base::open_file(root, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
        struct stat status;
        if (::fstat(fd.get(), &status) != 0) base::throw_errno("could not read the tree");
        listing.directories_.resize(2);
        auto& top = listing.directories_[0].entries.emplace_back(entry_of("", status));
        top.detail = 1;
        Walk(listing, fd.get(), keep, stop).run(1);
        listing.order_of_.push_back({0, 0});
        listing.put_in_order(1);
        return listing;
    });
}

// by_path: what lies below "a" sorts as "a/", after "a-b" and "a.txt". So each directory has two
// places among its siblings, its own and that of its content, and the order is decided among
// siblings alone.
void TreeListing::put_in_order(std::uint32_t number) {
    Directory& directory = directories_[number];
    struct Key {
        std::string_view name;
        std::uint32_t entry;
        bool content;
    };
    std::vector<Key> keys;
    keys.reserve(directory.entries.size());
    for (std::uint32_t i = 0; i < directory.entries.size(); ++i) {
        const auto& entry = directory.entries[i];
        keys.push_back({entry.name, i, false});
        if (order_ == EntryOrder::by_path && S_ISDIR(entry.mode))
            keys.push_back({entry.name, i, true});
    }
    const auto byte = [](const Key& key, std::size_t i) {
        return i < key.name.size() ? static_cast<unsigned char>(key.name[i])
               : key.content       ? int{'/'}
                                   : -1;
    };
    std::sort(keys.begin(), keys.end(), [&](const Key& a, const Key& b) {
        const auto common = std::min(a.name.size(), b.name.size());
        if (const int order = std::memcmp(a.name.data(), b.name.data(), common); order != 0)
            return order < 0;
        return byte(a, common) < byte(b, common);
    });
    for (const auto& key : keys) {
        const auto& entry = directory.entries[key.entry];
        if (!key.content) {
            if (S_ISDIR(entry.mode))
                directories_[entry.detail].place = static_cast<std::uint32_t>(order_of_.size());
            order_of_.push_back({number, key.entry});
        }
        const bool enter = order_ == EntryOrder::by_path ? key.content : S_ISDIR(entry.mode);
        if (enter) put_in_order(entry.detail);
    }
}

const TreeListing::Entry& TreeListing::entry(std::size_t place) const {
    const auto [directory, entry] = order_of_[place];
    return directories_[directory].entries[entry];
}

std::string TreeListing::path(std::size_t place) const {
    const auto& above = directories_[order_of_[place].directory].path;
    const auto& name = entry(place).name;
    return above.empty() ? name : above + "/" + name;
}

std::string_view TreeListing::target(std::size_t place) const {
    return directories_[order_of_[place].directory].targets[entry(place).detail];
}

std::size_t TreeListing::parent(std::size_t place) const {
    return directories_[order_of_[place].directory].place;
}

Selection select_all(const TreeListing& listing) {
    Selection all(listing.size());
    std::iota(all.begin(), all.end(), std::uint32_t{0});
    return all;
}

} // namespace image
