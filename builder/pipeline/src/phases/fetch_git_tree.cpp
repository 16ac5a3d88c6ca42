// libgit2's only place in the pipeline. The objects came from a stranger: git fsck'ed them on the
// way in, and every name is checked again here before a file is made.
#include "phases/fetch.h"

#include "base/error.h"
#include "base/fd.h"
#include "base/text.h"

#include <git2.h>

#include <algorithm>
#include <cctype>
#include <fcntl.h>
#include <memory>
#include <string_view>
#include <sys/stat.h>
#include <unistd.h>

namespace builder {
namespace {

using base::Error;
using base::ErrorKind;

constexpr std::size_t longest_name = 255;
constexpr std::size_t largest_file = 512u << 20; // one is held in memory as a whole

struct Close {
    void operator()(git_repository* p) const { git_repository_free(p); }
    void operator()(git_odb* p) const { git_odb_free(p); }
    void operator()(git_commit* p) const { git_commit_free(p); }
    void operator()(git_tree* p) const { git_tree_free(p); }
    void operator()(git_odb_object* p) const { git_odb_object_free(p); }
};
template <class T>
using Owned = std::unique_ptr<T, Close>;

void check(int result, const std::string& doing) {
    if (result >= 0) return;
    const git_error* error = git_error_last();
    throw Error(ErrorKind::internal, "could not " + doing + ": " +
                                         (error ? base::printable(error->message) : "unknown"));
}

bool is_dot_git(std::string_view name) {
    return name.size() == 4 && std::equal(name.begin(), name.end(), ".git", [](char a, char b) {
               return std::tolower(static_cast<unsigned char>(a)) == b;
           });
}

void check_name(const std::string& directory, std::string_view name) {
    const auto refuse = [&](const std::string& reason) {
        throw Error(ErrorKind::invalid_input,
                    "the path " + base::quoted(directory + std::string(name)) + " " + reason,
                    "Rename it and push again.");
    };
    if (name.empty() || name == "." || name == ".." || is_dot_git(name) ||
        name.find('/') != std::string_view::npos)
        refuse("is not allowed");
    if (name.size() > longest_name) refuse("is too long");
    if (std::any_of(name.begin(), name.end(),
                    [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; }))
        refuse("has a control character in it");
}

class TreeExport {
  public:
    TreeExport(git_repository* repository, git_odb* objects, const JobLimits& limits,
               BuildUser user, const base::Stop& stop)
        : repository_(repository), objects_(objects), limits_(limits), user_(user), stop_(stop) {}

    void write(const git_oid& id, int directory, const std::string& path, std::uint64_t depth) {
        if (depth > limits_.source_depth)
            throw Error(ErrorKind::invalid_input, base::quoted(path) + " is nested too deeply",
                        "Directories may be nested " + std::to_string(limits_.source_depth) +
                            " deep. The server's operator sets the limit: build.source_depth.");
        stop_.throw_if_over("fetching the source");
        git_tree* raw = nullptr;
        check(git_tree_lookup(&raw, repository_, &id), "read the tree " + path);
        const Owned<git_tree> tree(raw);
        for (std::size_t i = 0; i < git_tree_entrycount(tree.get()); ++i)
            write_entry(git_tree_entry_byindex(tree.get(), i), directory, path, depth);
    }

    const Fetched& result() const { return fetched_; }

  private:
    void write_entry(const git_tree_entry* entry, int directory, const std::string& path,
                     std::uint64_t depth) {
        const char* name = git_tree_entry_name(entry);
        check_name(path, name);
        if (++entries_ > limits_.source_entries)
            throw Error(ErrorKind::invalid_input,
                        "the source has more than " + std::to_string(limits_.source_entries) +
                            " files",
                        "Leave out what can be built or downloaded.");
        const git_oid& id = *git_tree_entry_id(entry);
        switch (git_tree_entry_filemode(entry)) {
        case GIT_FILEMODE_TREE:
            return write_directory(id, directory, name, path, depth);
        case GIT_FILEMODE_LINK:
            return write_link(id, directory, name, path);
        case GIT_FILEMODE_BLOB_EXECUTABLE:
            return write_file(id, directory, name, path, 0755);
        case GIT_FILEMODE_BLOB:
            return write_file(id, directory, name, path, 0644);
        default:
            throw Error(ErrorKind::invalid_input,
                        base::quoted(path + name) +
                            " is a submodule, and submodules are not fetched here",
                        "Add its files to your repository instead: git rm --cached NAME, remove "
                        "its .git, git add NAME. Or name it in your package manager's file.");
        }
    }

    void write_directory(const git_oid& id, int directory, const char* name,
                         const std::string& path, std::uint64_t depth) {
        if (::mkdirat(directory, name, 0755) != 0)
            base::throw_errno("could not make " + path + name);
        own(directory, name);
        const base::UniqueFd child(
            ::openat(directory, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
        if (!child) base::throw_errno("could not open " + path + name);
        write(id, child.get(), path + name + "/", depth + 1);
    }

    void write_file(const git_oid& id, int directory, const char* name, const std::string& path,
                    mode_t mode) {
        const auto object = read(id, path + name);
        const base::UniqueFd file(
            ::openat(directory, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, mode));
        if (!file) base::throw_errno("could not make " + path + name);
        base::write_all(file.get(), bytes_of(object));
        if (::fchown(file.get(), user_.uid, user_.gid) != 0)
            base::throw_errno("could not hand over " + path + name);
        ++fetched_.files;
    }

    void write_link(const git_oid& id, int directory, const char* name, const std::string& path) {
        const auto object = read(id, path + name);
        const std::string target(bytes_of(object));
        if (target.empty() || target.size() >= 4096 || target.find('\0') != std::string::npos)
            throw Error(ErrorKind::invalid_input,
                        base::quoted(path + name) + " is not a valid symbolic link");
        if (::symlinkat(target.c_str(), directory, name) != 0)
            base::throw_errno("could not link " + path + name);
        own(directory, name);
        ++fetched_.files;
    }

    void own(int directory, const char* name) {
        if (::fchownat(directory, name, user_.uid, user_.gid, AT_SYMLINK_NOFOLLOW) != 0)
            base::throw_errno(std::string("could not hand over ") + name);
    }

    // The size is known before the bytes are: a large object is refused, not loaded.
    Owned<git_odb_object> read(const git_oid& id, const std::string& path) {
        std::size_t size = 0;
        git_object_t type{};
        check(git_odb_read_header(&size, &type, objects_, &id), "find " + base::quoted(path));
        if (size > largest_file)
            throw Error(ErrorKind::invalid_input,
                        base::quoted(path) + " has " + base::human_bytes(size) +
                            "; one file may have " + base::human_bytes(largest_file),
                        "Leave large files out of the repository.");
        fetched_.bytes += size;
        if (fetched_.bytes > limits_.source_bytes)
            throw Error(ErrorKind::invalid_input,
                        "the source is larger than " + base::human_bytes(limits_.source_bytes) +
                            "; " + base::quoted(path) + " (" + base::human_bytes(size) +
                            ") went over it",
                        "Leave large files out of the repository.");
        git_odb_object* raw = nullptr;
        check(git_odb_read(&raw, objects_, &id), "read " + base::quoted(path));
        return Owned<git_odb_object>(raw);
    }

    static std::string_view bytes_of(const Owned<git_odb_object>& object) {
        return {static_cast<const char*>(git_odb_object_data(object.get())),
                git_odb_object_size(object.get())};
    }

    git_repository* repository_;
    git_odb* objects_;
    const JobLimits& limits_;
    BuildUser user_;
    const base::Stop& stop_;
    Fetched fetched_;
    std::uint64_t entries_ = 0;
};

struct Library {
    Library() {
        git_libgit2_init();
        // The repository belongs to the door's user, whom this world does not know; index-pack
        // has hashed every object when the push came in.
        git_libgit2_opts(GIT_OPT_SET_OWNER_VALIDATION, 0);
        git_libgit2_opts(GIT_OPT_ENABLE_STRICT_HASH_VERIFICATION, 0);
        for (const int level :
             {GIT_CONFIG_LEVEL_SYSTEM, GIT_CONFIG_LEVEL_GLOBAL, GIT_CONFIG_LEVEL_XDG})
            git_libgit2_opts(GIT_OPT_SET_SEARCH_PATH, level, "");
    }
    ~Library() { git_libgit2_shutdown(); }
};

} // namespace

Fetched fetch_git_tree(const GitTree& tree, const JobLimits& limits,
                       const std::filesystem::path& target, BuildUser user,
                       const base::Stop& stop) {
    const Library library;
    git_repository* raw_repository = nullptr;
    check(git_repository_open_bare(&raw_repository, tree.repository.c_str()),
          "open the repository");
    const Owned<git_repository> repository(raw_repository);
    git_odb* raw_objects = nullptr;
    check(git_repository_odb(&raw_objects, repository.get()), "open the object database");
    const Owned<git_odb> objects(raw_objects);
    if (!tree.quarantine.empty())
        check(git_odb_add_disk_alternate(objects.get(), tree.quarantine.c_str()),
              "open the push's objects");

    git_oid id;
    check(git_oid_fromstr(&id, tree.commit.c_str()), "read the commit's name");
    git_commit* raw_commit = nullptr;
    check(git_commit_lookup(&raw_commit, repository.get(), &id), "find the commit " + tree.commit);
    const Owned<git_commit> commit(raw_commit);

    const base::UniqueFd directory = base::open_file(target, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
    TreeExport writer(repository.get(), objects.get(), limits, user, stop);
    writer.write(*git_commit_tree_id(commit.get()), directory.get(), "", 0);
    return writer.result();
}

} // namespace builder
