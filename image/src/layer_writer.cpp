#include "image/layer_writer.h"

#include "layer_state.h"

#include "base/beneath.h"
#include "base/error.h"
#include "base/fd.h"
#include "base/text.h"

#include <algorithm>
#include <fcntl.h>
#include <map>
#include <sys/stat.h>

namespace image {

namespace {

[[noreturn]] void misuse(std::string_view name, const char* why) {
    throw base::Error(base::ErrorKind::internal,
                      "a layer cannot have an entry " + base::quoted(name) + ": " + why);
}

[[noreturn]] void changed(std::string_view path) {
    throw base::Error(base::ErrorKind::invalid_input,
                      base::quoted(path) + " changed while it was read",
                      "Something still writes to the build's files.");
}

// Opens the files of a listing. Those of one directory follow one another: it is opened once.
class TreeFiles {
  public:
    explicit TreeFiles(const TreeListing& listing)
        : listing_(listing),
          root_(base::open_file(listing.root(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW)) {}

    // The very file that was listed, as it was then.
    base::UniqueFd open(std::size_t place) {
        const auto& entry = listing_.entry(place);
        if (const auto above = listing_.parent(place); above != at_ || !directory_) {
            directory_ =
                base::open_beneath(root_.get(), listing_.path(above), O_PATH | O_DIRECTORY);
            at_ = above;
        }
        if (!directory_) changed(listing_.path(place));
        // O_NONBLOCK: what was a file a moment ago may be a fifo by now.
        base::UniqueFd file(::openat(directory_.get(), entry.name.c_str(),
                                     O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC));
        struct stat status;
        if (!file || ::fstat(file.get(), &status) != 0)
            base::throw_errno("could not open " + base::quoted(listing_.path(place)));
        if (!S_ISREG(status.st_mode) || status.st_ino != entry.inode ||
            status.st_dev != entry.device ||
            status.st_ctim.tv_sec * 1'000'000'000 + status.st_ctim.tv_nsec != entry.changed)
            changed(listing_.path(place));
        return file;
    }

  private:
    const TreeListing& listing_;
    base::UniqueFd root_, directory_;
    std::size_t at_ = 0;
};

} // namespace

unsigned mode_in_layer(mode_t mode, Modes modes) noexcept {
    if (modes == Modes::as_they_are) return mode & 0777;
    return S_ISDIR(mode) || (mode & S_IXUSR) ? 0755 : 0644;
}

void LayerWriter::State::check_name(std::string_view name) const {
    if (name.empty() || name.front() == '/' || name.back() == '/' || name.find('\0') != name.npos)
        misuse(name, "names are relative and not empty");
    for (std::size_t start = 0; start <= name.size();) {
        const auto end = std::min(name.find('/', start), name.size());
        const auto part = name.substr(start, end - start);
        if (part.empty() || part == "." || part == "..")
            misuse(name, "it has an empty or dot part");
        start = end + 1;
    }
}

// depth_first is the order of the names' parts: a slash counts less than any other byte.
bool LayerWriter::State::comes_before(std::string_view a, std::string_view b) const {
    if (order == EntryOrder::by_path) return a < b;
    return std::lexicographical_compare(
        a.begin(), a.end(), b.begin(), b.end(),
        [](unsigned char x, unsigned char y) { return (x == '/' ? 0 : x) < (y == '/' ? 0 : y); });
}

void LayerWriter::State::begin(std::string_view name) {
    check_name(name);
    if (!last.empty() && !comes_before(last, name)) misuse(name, "it is out of order");
    add_parents(name);
    last = name;
}

void LayerWriter::State::add_parents(std::string_view name) {
    const auto slash = name.rfind('/');
    if (slash == name.npos) return;
    const auto parent = name.substr(0, slash);
    if (directories.contains(std::string(parent))) return;
    add_parents(parent);
    directories.emplace(parent);
    write_entry({.type = '5', .name = parent, .mode = 0755});
}

void LayerWriter::State::write_entry(TarEntry entry) {
    const std::string name = prefix + std::string(entry.name);
    entry.name = name;
    stream.write(encode_tar_header(entry));
}

TarFacts LayerWriter::State::finish() {
    if (!is_copy) stream.write_zeros(2 * tar_block);
    return stream.finish();
}

void LayerWriter::add_directory(std::string_view name, unsigned mode, Owner owner) {
    state_.begin(name);
    state_.directories.emplace(name);
    state_.write_entry(
        {.type = '5', .name = name, .mode = mode & 0777, .uid = owner.uid, .gid = owner.gid});
}

void LayerWriter::add_file(std::string_view name, unsigned mode, Owner owner,
                           std::string_view bytes) {
    state_.begin(name);
    state_.write_entry({.type = '0',
                        .name = name,
                        .mode = mode & 0777,
                        .uid = owner.uid,
                        .gid = owner.gid,
                        .size = bytes.size()});
    state_.stream.write(bytes);
    state_.stream.write_zeros(tar_padding(bytes.size()));
}

void LayerWriter::add_symlink(std::string_view name, std::string_view target, Owner owner,
                              unsigned mode) {
    state_.begin(name);
    state_.write_entry({.type = '2',
                        .name = name,
                        .link = target,
                        .mode = mode & 0777,
                        .uid = owner.uid,
                        .gid = owner.gid});
}

void LayerWriter::add_tree(const std::filesystem::path& root, std::string_view name, Owner owner,
                           const TreeListing::Keep& keep, Modes modes) {
    const auto listing = TreeListing::read(root, state_.order, keep);
    add_listed(listing, select_all(listing), name, owner, modes);
}

void LayerWriter::add_listed(const TreeListing& listing, const Selection& selection,
                             std::string_view name, Owner owner, Modes modes,
                             const base::Stop& stop) {
    TreeFiles files(listing);
    std::map<std::pair<std::uint64_t, std::uint64_t>, std::string> first_names;
    for (const auto place : selection) {
        stop.throw_if_over("reading a layer's files");
        const auto& entry = listing.entry(place);
        std::string full(name);
        const auto relative = listing.path(place);
        if (!full.empty() && !relative.empty()) full += '/';
        full += relative;
        if (full.empty()) continue; // the image's root has no entry
        if (S_ISDIR(entry.mode)) {
            add_directory(full, mode_in_layer(entry.mode, modes), owner);
            continue;
        }
        if (S_ISLNK(entry.mode)) {
            add_symlink(full, listing.target(place), owner);
            continue;
        }
        state_.begin(full);
        TarEntry header{.type = '0',
                        .name = full,
                        .mode = mode_in_layer(entry.mode, modes),
                        .uid = owner.uid,
                        .gid = owner.gid};
        if (entry.has_other_names) {
            const auto [found, is_first] =
                first_names.try_emplace({entry.device, entry.inode}, state_.prefix + full);
            if (!is_first) {
                header.type = '1';
                header.link = found->second;
                state_.write_entry(header);
                continue;
            }
        }
        header.size = entry.size;
        const auto file = files.open(place);
        state_.write_entry(header);
        state_.stream.write_file(file.get(), header.size, full);
        state_.stream.write_zeros(tar_padding(header.size));
    }
}

void LayerWriter::copy_tar(int fd, const base::Stop& stop) {
    state_.is_copy = true;
    state_.stream.write_rest(fd, stop);
}

} // namespace image
