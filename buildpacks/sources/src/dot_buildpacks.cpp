#include "sources/choice.h"

#include <algorithm>

namespace sources {

// The shells that read this file first split it at any white space; comments came later. Both are
// taken: several words in a line are several entries, a word that begins with # ends its line.
std::vector<Entry> parse_dot_buildpacks(std::string_view text) {
    if (text.starts_with("\xef\xbb\xbf")) text.remove_prefix(3); // editors of Windows
    std::vector<Entry> entries;
    std::size_t line = 1;
    bool comment = false;
    for (std::size_t i = 0; i < text.size();) {
        const char c = text[i];
        if (c == '\n') {
            ++line;
            comment = false;
        }
        if (c == '\n' || c == '\r' || c == ' ' || c == '\t') {
            ++i;
            continue;
        }
        const auto end = std::min(text.find_first_of(" \t\r\n", i), text.size());
        comment = comment || c == '#';
        if (!comment) entries.push_back({std::string(text.substr(i, end - i)), line});
        i = end;
    }
    return entries;
}

} // namespace sources
