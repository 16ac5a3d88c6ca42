// The address of a git repository as it is called: a scheme that is spoken here, no credentials in
// it. Pure; any thread.
#pragma once

#include "http/url.h"
#include "sources/uri.h"

#include <string>

namespace sources {

struct Remote {
    std::string url;           // http, https or git; without user name and fragment
    std::string authorization; // "Basic ..."; empty: none
    http::Url host;            // of a git:// URL, too
    std::string note;          // what was changed, for the log; empty: nothing

    // "github.com/org/name": lower case, without .git; what names a classic buildpack.
    std::string id() const;
};

// SSH URLs become https; so do git:// URLs of GitHub, which ended that service. Throws
// Error{invalid_input}.
Remote remote_of(const GitUrl& git);

// The value of an Authorization header for "user[:word]", percent-decoded; empty for empty.
std::string basic_authorization(std::string_view user_and_word);

// An id from an address: lower case, other characters than a-z 0-9 . / - replaced by dashes.
std::string readable_id(std::string_view address);

} // namespace sources
