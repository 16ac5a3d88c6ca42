// A string that does not print itself. reveal() marks each place where it leaves.
#pragma once

#include <string>
#include <utility>

namespace base {

class Secret {
  public:
    Secret() = default;
    explicit Secret(std::string value) : value_(std::move(value)) {}
    const std::string& reveal() const noexcept { return value_; }
    bool empty() const noexcept { return value_.empty(); }

  private:
    std::string value_;
};

// What a formatter or a debugger's print finds.
inline std::string to_string(const Secret&) {
    return "***";
}

} // namespace base
