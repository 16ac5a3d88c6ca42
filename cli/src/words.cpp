#include "words.h"

namespace cli {

std::vector<std::string> split_alias(std::vector<std::string> words,
                                     const std::function<bool(const std::string&)>& is_noun) {
    for (auto word = words.begin(); word != words.end(); ++word) {
        const auto colon = word->find(':');
        if (colon == std::string::npos || !is_noun(word->substr(0, colon))) {
            if (is_noun(*word)) return words;
            continue; // an option, or an option's value
        }
        const auto verb = word->substr(colon + 1);
        word->resize(colon);
        words.insert(word + 1, verb);
        return words;
    }
    return words;
}

} // namespace cli
