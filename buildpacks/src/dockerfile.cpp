#include "dockerfile.h"

#include "base/error.h"
#include "base/text.h"

#include <algorithm>
#include <optional>
#include <sstream>
#include <vector>

namespace buildpacks {
namespace {

using base::Error;
using base::ErrorKind;

constexpr const char* hint =
    "Extensions may switch the run image here (a run.Dockerfile with FROM alone). Put what this "
    "one "
    "installs into a stack of your own (slipway stack create), or take a builder without it.";

std::vector<std::string> words_of(const std::string& line) {
    std::istringstream stream(line);
    std::vector<std::string> words;
    for (std::string word; stream >> word;) words.push_back(word);
    return words;
}

std::string upper(std::string word) {
    std::transform(word.begin(), word.end(), word.begin(), [](unsigned char c) {
        return static_cast<char>(c >= 'a' && c <= 'z' ? c - 'a' + 'A' : c);
    });
    return word;
}

class Reader {
  public:
    explicit Reader(const std::string& where) : where_(where) {}

    void take(std::string_view line) {
        ++number_;
        const std::string text(base::trim(line));
        if (text.empty() || text.front() == '#') return;
        const auto words = words_of(text);
        const auto instruction = upper(words.front());
        if (instruction == "FROM" && !image_)
            image_ = image_of(words, text);
        else if (instruction != "ARG" || image_ || text.back() == '\\')
            refuse(text);
    }

    std::string finish() const {
        if (!image_) throw Error(ErrorKind::buildpack_failed, where_ + " has no FROM");
        return *image_;
    }

  private:
    // FROM <image> [AS <name>]
    std::string image_of(const std::vector<std::string>& words, const std::string& text) const {
        const bool named = words.size() == 4 && upper(words[2]) == "AS";
        if (words.size() != 2 && !named) refuse(text);
        const auto& image = words[1];
        if (image == "${base_image}" || image == "$base_image") return {};
        if (image.find_first_of("$\\") != std::string::npos || image.front() == '-') refuse(text);
        return image;
    }

    [[noreturn]] void refuse(const std::string& text) const {
        throw Error(ErrorKind::buildpack_failed,
                    where_ + ", line " + std::to_string(number_) + ": " + base::quoted(text) +
                        " is not applied here",
                    hint);
    }

    const std::string& where_;
    std::optional<std::string> image_;
    std::size_t number_ = 0;
};

} // namespace

std::string read_from(std::string_view dockerfile, const std::string& where) {
    Reader reader(where);
    base::LineSplitter lines([&](std::string_view line) { reader.take(line); });
    lines.feed(dockerfile);
    lines.finish();
    return reader.finish();
}

} // namespace buildpacks
