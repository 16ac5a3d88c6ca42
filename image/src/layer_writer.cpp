#include "image/layer_writer.h"

#include "layer_stream.h"
#include "tar_format.h"
#include "tree_walk.h"

#include "base/error.h"
#include "base/text.h"

#include <algorithm>
#include <fcntl.h>
#include <map>
#include <sys/stat.h>
#include <unordered_set>

namespace image {

struct LayerWriter::State {
    State(std::filesystem::path path, Compression compression, EntryOrder entry_order, Names names)
        : stream(std::move(path), compression), order(entry_order),
          prefix(names == Names::absolute ? "/" : "") {}

    LayerStream stream;
    EntryOrder order;
    std::string prefix; // of every name in the tar
    std::string last;
    std::unordered_set<std::string> directories;

    void check_name(std::string_view name) const;
    bool comes_before(std::string_view a, std::string_view b) const;
    void begin(std::string_view name);
    void add_parents(std::string_view name);
    void write_entry(TarEntry entry);
};

namespace {

[[noreturn]] void misuse(std::string_view name, const char* why) {
    throw base::Error(base::ErrorKind::internal,
                      "a layer cannot have an entry " + base::quoted(name) + ": " + why);
}

unsigned mode_of(const struct stat& status, Modes modes) {
    if (modes == Modes::as_they_are) return status.st_mode & 0777;
    return S_ISDIR(status.st_mode) || (status.st_mode & S_IXUSR) ? 0755 : 0644;
}

} // namespace

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

LayerWriter::LayerWriter(std::filesystem::path path, Compression compression, EntryOrder order,
                         Names names)
    : state_(std::make_unique<State>(std::move(path), compression, order, names)) {}
LayerWriter::~LayerWriter() = default;
LayerWriter::LayerWriter(LayerWriter&&) noexcept = default;

void LayerWriter::add_directory(std::string_view name, unsigned mode, Owner owner) {
    state_->begin(name);
    state_->directories.emplace(name);
    state_->write_entry(
        {.type = '5', .name = name, .mode = mode & 0777, .uid = owner.uid, .gid = owner.gid});
}

void LayerWriter::add_file(std::string_view name, unsigned mode, Owner owner,
                           std::string_view bytes) {
    state_->begin(name);
    state_->write_entry({.type = '0',
                         .name = name,
                         .mode = mode & 0777,
                         .uid = owner.uid,
                         .gid = owner.gid,
                         .size = bytes.size()});
    state_->stream.write(bytes);
    state_->stream.write_zeros(tar_padding(bytes.size()));
}

void LayerWriter::add_symlink(std::string_view name, std::string_view target, Owner owner,
                              unsigned mode) {
    state_->begin(name);
    state_->write_entry({.type = '2',
                         .name = name,
                         .link = target,
                         .mode = mode & 0777,
                         .uid = owner.uid,
                         .gid = owner.gid});
}

void LayerWriter::add_tree(const std::filesystem::path& root, std::string_view name, Owner owner,
                           const std::function<bool(std::string_view relative)>& keep,
                           Modes modes) {
    // First name of each file with several: sorted, so that the same tree has the same one.
    std::map<std::pair<dev_t, ino_t>, std::string> first_names;
    const auto visit = [&](const TreeEntry& entry) {
        std::string full(name);
        if (!full.empty() && !entry.relative.empty()) full += '/';
        full += entry.relative;
        if (full.empty()) return; // the image's root has no entry
        switch (entry.status.st_mode & S_IFMT) {
        case S_IFDIR:
            return add_directory(full, mode_of(entry.status, modes), owner);
        case S_IFLNK:
            return add_symlink(full, entry.link, owner);
        default:
            break;
        }
        state_->begin(full);
        TarEntry header{.type = '0',
                        .name = full,
                        .mode = mode_of(entry.status, modes),
                        .uid = owner.uid,
                        .gid = owner.gid};
        if (entry.status.st_nlink > 1) {
            const auto [found, is_first] = first_names.try_emplace(
                {entry.status.st_dev, entry.status.st_ino}, state_->prefix + full);
            if (!is_first) {
                header.type = '1';
                header.link = found->second;
                return state_->write_entry(header);
            }
        }
        header.size = static_cast<std::uint64_t>(entry.status.st_size);
        state_->write_entry(header);
        state_->stream.write_file(entry.fd, header.size, full);
        state_->stream.write_zeros(tar_padding(header.size));
    };
    walk_tree(root, state_->order, keep, visit);
}

WrittenLayer LayerWriter::finish() {
    state_->stream.write_zeros(2 * tar_block);
    return state_->stream.finish();
}

WrittenLayer layer_from_tar(const std::filesystem::path& tar, const std::filesystem::path& path,
                            Compression compression, const base::Stop& stop) {
    const base::UniqueFd file = base::open_file(tar, O_RDONLY);
    LayerStream stream(path, compression);
    base::while_doing("reading " + tar.string(), [&] { stream.write_rest(file.get(), stop); });
    return stream.finish();
}

} // namespace image
