#include "app_image.h"

#include <catch2/catch.hpp>

#include <fcntl.h>
#include <filesystem>
#include <fstream>
#include <sched.h>
#include <sstream>
#include <sys/wait.h>
#include <unistd.h>

namespace fs = std::filesystem;

namespace {

constexpr int no_new_root = 199;
const char* const launcher = SLIPWAY_BIN_DIR "/slipway-launch";

std::string content_of(const std::string& path) {
    std::ifstream stream{path};
    std::ostringstream text;
    text << stream.rdbuf();
    return text.str();
}

std::vector<char*> pointers(const std::vector<std::string>& strings) {
    std::vector<char*> list;
    for (const std::string& string : strings) list.push_back(const_cast<char*>(string.c_str()));
    list.push_back(nullptr);
    return list;
}

void send_to(const std::string& path, int fd) {
    const int file = ::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0600);
    ::dup2(file, fd);
    ::close(file);
}

bool enter(const char* root) {
    return (::geteuid() == 0 || ::unshare(CLONE_NEWUSER) == 0) && ::chroot(root) == 0;
}

} // namespace

AppImage::AppImage() {
    root_ = (fs::temp_directory_path() / "launch-XXXXXX").string();
    REQUIRE(::mkdtemp(root_.data()) != nullptr);
    root_ = fs::canonical(root_).string();
    directory("app");
    directory("layers");
    directory("process");
    environment_ = {{"CNB_LAYERS_DIR", path("layers")},
                    {"CNB_APP_DIR", path("app")},
                    {"CNB_PLATFORM_API", "0.15"},
                    {"PATH", "/cnb/process:/cnb/lifecycle:/usr/bin:/bin"}};
}

AppImage::~AppImage() {
    std::error_code ignored;
    fs::remove_all(root_, ignored);
}

void AppImage::directory(const std::string& relative) {
    fs::create_directories(path(relative));
}

void AppImage::file(const std::string& relative, const std::string& content) {
    fs::create_directories(fs::path{path(relative)}.parent_path());
    std::ofstream{path(relative), std::ios::binary} << content;
}

void AppImage::program(const std::string& relative, const std::string& content) {
    file(relative, content);
    fs::permissions(path(relative), fs::perms{0755});
}

void AppImage::variable(const std::string& name, std::optional<std::string> value) {
    if (value)
        environment_[name] = *value;
    else
        environment_.erase(name);
}

AppImage::Outcome AppImage::launch(const std::string& name,
                                   const std::vector<std::string>& args) const {
    const std::string link = path("process/" + name);
    if (!fs::exists(fs::symlink_status(link))) fs::create_symlink(launcher, link);
    return run(link, args, nullptr);
}

std::optional<AppImage::Outcome>
AppImage::launch_in_root(const std::vector<std::string>& args) const {
    fs::copy_file(launcher, path("launcher"), fs::copy_options::overwrite_existing);
    Outcome outcome = run("/launcher", args, root_.c_str());
    if (outcome.status == no_new_root) return std::nullopt;
    return outcome;
}

AppImage::Outcome AppImage::run(const std::string& program, const std::vector<std::string>& args,
                                const char* new_root) const {
    std::vector<std::string> words{program};
    words.insert(words.end(), args.begin(), args.end());
    std::vector<std::string> variables;
    for (const auto& [name, value] : environment_) variables.push_back(name + "=" + value);
    const auto word_pointers = pointers(words);
    const auto variable_pointers = pointers(variables);

    const pid_t child = ::fork();
    if (child == 0) {
        send_to(path("out"), STDOUT_FILENO);
        send_to(path("err"), STDERR_FILENO);
        if (new_root != nullptr && !enter(new_root)) ::_exit(no_new_root);
        if (::chdir("/") == 0)
            ::execve(program.c_str(), word_pointers.data(), variable_pointers.data());
        ::_exit(198);
    }
    int status = 0;
    REQUIRE(::waitpid(child, &status, 0) == child);
    return {WIFSIGNALED(status) ? -WTERMSIG(status) : WEXITSTATUS(status), content_of(path("out")),
            content_of(path("err"))};
}
