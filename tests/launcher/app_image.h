// An application image as far as the launcher sees one: layers, metadata.toml, an application
// directory and /cnb/process, all in a temporary directory. Launches run the real program.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

class AppImage {
  public:
    AppImage();
    AppImage(const AppImage&) = delete;
    AppImage& operator=(const AppImage&) = delete;
    ~AppImage();

    struct Outcome {
        int status = 0; // exit code, or minus the signal
        std::string out;
        std::string err;
    };

    // Paths are relative to the image's root, in which `layers` and `app` exist.
    std::string path(const std::string& relative) const { return root_ + "/" + relative; }
    void file(const std::string& relative, const std::string& content);
    void program(const std::string& relative, const std::string& content);
    void directory(const std::string& relative);
    void metadata(const std::string& toml) { file("layers/config/metadata.toml", toml); }

    // Changes a variable of the container's environment; nullopt removes it.
    void variable(const std::string& name, std::optional<std::string> value);

    // Runs the launcher as /cnb/process/<name>, in the directory "/".
    Outcome launch(const std::string& name, const std::vector<std::string>& args = {}) const;

    // The same with this image's root as "/"; nullopt when this user may not do that.
    std::optional<Outcome> launch_in_root(const std::vector<std::string>& args) const;

  private:
    Outcome run(const std::string& program, const std::vector<std::string>& args,
                const char* new_root) const;

    std::string root_;
    std::map<std::string, std::string> environment_;
};
