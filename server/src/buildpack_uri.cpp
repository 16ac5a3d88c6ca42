#include "buildpack_uri.h"

#include "base/error.h"
#include "base/text.h"

namespace server {
namespace {

constexpr std::size_t longest_uri = 2000;

} // namespace

void check_buildpack_uri(const std::string& uri) {
    using base::Error;
    using base::ErrorKind;
    if (uri.empty() || uri.size() > longest_uri || base::printable(uri) != uri)
        throw Error(ErrorKind::invalid_input, base::quoted(uri) + " names no buildpack",
                    "Give an id, a git or archive URL, or an image: docs/buildpacks/choice.md");
    const auto scheme = uri.find("://");
    const auto at = uri.find('@');
    if (scheme != std::string::npos && at != std::string::npos && uri.find(':', scheme + 3) < at)
        throw Error(ErrorKind::invalid_input, "a buildpack's URL may not hold a password",
                    "Use a URL that can be read without one.");
}

} // namespace server
