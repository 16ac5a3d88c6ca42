#include "exposition.h"

#include <algorithm>
#include <cmath>
#include <cstdio>

namespace server::api {
namespace {

// A label's value may hold anything; these three have a meaning in the format.
std::string escape(std::string_view value) {
    std::string text;
    for (const char c : value) {
        if (c == '\n') {
            text += "\\n";
            continue;
        }
        if (c == '\\' || c == '"') text += '\\';
        text += c;
    }
    return text;
}

std::string render_number(double value) {
    if (std::isinf(value)) return value > 0 ? "+Inf" : "-Inf";
    char text[40];
    const bool whole = std::abs(value) < 1e15 && value == std::floor(value);
    std::snprintf(text, sizeof text, whole ? "%.0f" : "%.9g", value);
    return text;
}

} // namespace

Histogram::Histogram(std::vector<double> bounds)
    : bounds_(std::move(bounds)), counts_(bounds_.size() + 1) {}

void Histogram::add(double value) noexcept {
    const auto it = std::lower_bound(bounds_.begin(), bounds_.end(), value);
    ++counts_[static_cast<std::size_t>(it - bounds_.begin())];
    sum_ += value;
}

void Exposition::family(const std::string& name, std::string_view type, std::string_view help) {
    name_ = name;
    text_ += "# HELP " + name + " " + std::string(help) + "\n# TYPE " + name + " " +
             std::string(type) + "\n";
}

void Exposition::sample(const Labels& labels, double value, std::string_view suffix) {
    text_ += name_ + std::string(suffix);
    std::string inside;
    for (const auto& [name, label] : labels)
        inside += (inside.empty() ? "" : ",") + name + "=\"" + escape(label) + "\"";
    if (!inside.empty()) text_ += "{" + inside + "}";
    text_ += " " + render_number(value) + "\n";
}

void Exposition::histogram(const Labels& labels, const Histogram& histogram) {
    std::uint64_t below = 0;
    for (std::size_t i = 0; i < histogram.counts().size(); ++i) {
        below += histogram.counts()[i];
        auto with_bound = labels;
        with_bound.emplace_back(
            "le", i < histogram.bounds().size() ? render_number(histogram.bounds()[i]) : "+Inf");
        sample(with_bound, static_cast<double>(below), "_bucket");
    }
    sample(labels, histogram.sum(), "_sum");
    sample(labels, static_cast<double>(below), "_count");
}

} // namespace server::api
