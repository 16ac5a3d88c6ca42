// The environment of the process to be launched, and the rules by which layers change it
// (Buildpack API, "Environment Variable Modification Rules"). Starts as the container's
// environment without what belongs to the launcher alone. Refuses NUL bytes, which no
// environment can hold.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace launch {

class Environment {
  public:
    // Leaves out the launcher's own variables, and /cnb/process and /cnb/lifecycle from PATH.
    explicit Environment(char** environ_block);

    // The value, empty when there is none.
    std::string get(std::string_view name) const;
    void set(std::string_view name, std::string value);

    // `<layer>/bin` to the front of PATH, `<layer>/lib` to the front of LD_LIBRARY_PATH.
    void add_layer_root(const std::string& layer);

    // Every file of an `env` directory, in order of name. No directory: nothing to do.
    void add_directory(const std::string& directory);

    // `NAME=value`, in order of name, for execve.
    std::vector<std::string> entries() const;

  private:
    void apply(const std::string& directory, std::string_view file, std::string content);

    std::map<std::string, std::string, std::less<>> values_;
};

} // namespace launch
