// Patterns of gitignore files (gitignore(5)) against paths, in time linear in pattern times path:
// both are strangers'. Values; any thread.
#pragma once

#include <bitset>
#include <string>
#include <string_view>
#include <vector>

namespace sources {

enum class PathType { file, directory };

class Patterns {
  public:
    // Blank lines and comments among them are left out.
    explicit Patterns(const std::vector<std::string>& lines);

    // What the last pattern that names this very path says; a path below a directory that matches
    // is the caller's to know. `path` is relative, without slashes at its ends.
    bool matches(std::string_view path, PathType type) const;

  private:
    struct Token {
        enum class Kind {
            byte,       // this one
            one,        // any one but a slash
            set,        // one of these
            some,       // any number but slashes
            everything, // one or more, slashes too
            folders,    // none or more whole folders with their slashes
        } kind;
        char byte = 0;
        std::bitset<256> set{};
    };
    struct Pattern {
        std::vector<Token> tokens;
        bool negated = false;
        bool only_directories = false;
    };
    static Pattern compile(std::string_view text);
    static Token read_set(std::string_view text, std::size_t& at);
    static bool matches(const Pattern& pattern, std::string_view path);
    std::vector<Pattern> patterns_;
};

} // namespace sources
