// On which run images an app's image may be put (platform.md, "rebaser").
#pragma once

#include "builder/rebase.h"

#include "base/json.h"

#include <string>
#include <string_view>
#include <vector>

namespace builder {

class RebaseRules {
  public:
    RebaseRules(const image::Image& app, const RunImage& run, Force force)
        : app_(app), run_(run), force_(force) {}

    // Its target, as images of platform API 0.12 and newer have one; its stack and mixins of older
    // ones, where force changes nothing. Throws Error{invalid_input}.
    void check_base();
    // Whether the label names this run image or a mirror of it. False: by force.
    bool check_name(const base::json::Value& metadata);

    const std::vector<std::string>& warnings() const noexcept { return warnings_; }

  private:
    void check_target();
    void check_stack() const;
    void check_mixins() const;
    void insist(std::string message);

    const image::Image& app_;
    const RunImage& run_;
    const Force force_;
    std::vector<std::string> warnings_;
};

// "registry.example/team/run" and "localhost/run" do, "stacks/run" does not.
bool names_registry(std::string_view reference);

} // namespace builder
