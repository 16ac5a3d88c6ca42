// Numbers in the text format that Prometheus reads (version 0.0.4). Histogram: any thread, through
// its owner's lock; Exposition: one thread.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace server::api {

using Labels = std::vector<std::pair<std::string, std::string>>;

// How many values were at most so large. Bounds ascend; +Inf is always there.
class Histogram {
  public:
    explicit Histogram(std::vector<double> bounds);
    void add(double value) noexcept;

    const std::vector<double>& bounds() const noexcept { return bounds_; }
    const std::vector<std::uint64_t>& counts() const noexcept { return counts_; } // one more, +Inf
    double sum() const noexcept { return sum_; }

  private:
    std::vector<double> bounds_;
    std::vector<std::uint64_t> counts_; // of each bucket alone
    double sum_ = 0;
};

class Exposition {
  public:
    // Starts a family; its samples follow. type: "counter", "gauge", "histogram", "summary".
    void family(const std::string& name, std::string_view type, std::string_view help);
    void sample(const Labels& labels, double value, std::string_view suffix = {});
    void histogram(const Labels& labels, const Histogram& histogram);
    const std::string& text() const noexcept { return text_; }

  private:
    std::string name_;
    std::string text_;
};

} // namespace server::api
