#include "local.h"

#include "base/beneath.h"
#include "base/error.h"
#include "base/fd.h"
#include "base/text.h"
#include "buildpacks/toml_text.h"

#include <nlohmann/json.hpp>

#include <fcntl.h>
#include <sys/stat.h>
#include <vector>

namespace sources {
namespace {

namespace fs = std::filesystem;
using base::Error;
using base::ErrorKind;

constexpr std::size_t most_entries = 200'000;

class Copy {
  public:
    Copy(const fs::path& root, std::uint64_t most_bytes, const base::Stop& stop)
        : root_(root), bytes_left_(most_bytes), stop_(stop) {}

    void directory(const std::string& from, const fs::path& to) {
        fs::create_directory(to);
        ::chmod(to.c_str(), 0755);
        for (const auto& entry : base::list_beneath(root_, from)) {
            if (--entries_left_ == 0) too_large();
            const auto name = from.empty() ? entry.name : from + "/" + entry.name;
            if (entry.name == ".git") continue;
            if (entry.type == base::EntryType::directory) directory(name, to / entry.name);
            if (entry.type == base::EntryType::file) file(name, to / entry.name);
            if (entry.type == base::EntryType::symlink)
                fs::create_symlink(fs::read_symlink(root_ / name), to / entry.name);
        }
    }

  private:
    void file(const std::string& from, const fs::path& to) {
        const auto source = base::open_beneath(root_, from, O_RDONLY);
        struct stat status {};
        if (!source || ::fstat(source.get(), &status) != 0) return; // gone meanwhile
        const auto target = base::open_file(to, O_WRONLY | O_CREAT | O_EXCL, 0644);
        std::vector<char> buffer(64u << 10);
        while (const auto n = base::read_some(source.get(), buffer.data(), buffer.size())) {
            stop_.throw_if_over("copying a buildpack");
            if (n > bytes_left_) too_large();
            bytes_left_ -= n;
            base::write_all(target.get(), {buffer.data(), n});
        }
        if (::fchmod(target.get(), status.st_mode & 0111 ? 0755 : 0644) != 0)
            base::throw_errno("could not copy a buildpack");
    }

    [[noreturn]] static void too_large() {
        throw Error(ErrorKind::limit_exceeded, "a buildpack's folder is too large");
    }

    const fs::path& root_;
    std::uint64_t bytes_left_;
    std::size_t entries_left_ = most_entries;
    const base::Stop& stop_;
};

} // namespace

void copy_beneath(const fs::path& root, const std::string& relative, const fs::path& target,
                  std::uint64_t most_bytes, const base::Stop& stop) {
    if (!base::open_beneath(root, relative, O_RDONLY | O_DIRECTORY))
        throw Error(ErrorKind::not_found,
                    "there is no folder " + base::quoted(relative) + " in the source",
                    "Folders are looked for below the app, and not through links.");
    fs::create_directories(target.parent_path());
    Copy(root, most_bytes, stop).directory(relative, target);
}

void make_programs_executable(const fs::path& buildpack) {
    for (const char* name : {"bin/detect", "bin/build", "bin/compile", "bin/release"})
        if (const auto file = base::open_beneath(buildpack, name, O_RDONLY))
            if (::fchmod(file.get(), 0755) != 0)
                base::throw_errno("could not make the programs of a buildpack executable");
}

void write_inline_script(const InlineScript& script, const fs::path& target) {
    fs::create_directories(target / "bin");
    const nlohmann::json descriptor{
        {"api", script.api}, {"buildpack", {{"id", script.id}, {"version", script.version}}}};
    base::write_file(target / "buildpack.toml", buildpacks::json_to_toml(descriptor));
    base::write_file(target / "bin" / "detect", "#!" + script.shell + "\nexit 0\n", 0755);
    base::write_file(target / "bin" / "build", "#!" + script.shell + "\n" + script.text + "\n",
                     0755);
    for (const auto& directory : {target, target / "bin"}) ::chmod(directory.c_str(), 0755);
    for (const char* program : {"detect", "build"})
        ::chmod((target / "bin" / program).c_str(), 0755);
}

} // namespace sources
