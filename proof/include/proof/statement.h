// in-toto Statement v1 (in-toto/attestation, spec/v1/statement.md): a predicate about an image.
// Pure.
#pragma once

#include "image/digest.h"

#include <string>
#include <string_view>

namespace proof {

namespace predicate_type {
inline constexpr std::string_view provenance = "https://slsa.dev/provenance/v1";
inline constexpr std::string_view cyclonedx = "https://cyclonedx.org/bom";
inline constexpr std::string_view spdx = "https://spdx.dev/Document";
} // namespace predicate_type

struct Statement {
    std::string name; // of the image, without tag and digest: for people
    image::Digest subject;
    std::string predicate_type;
    std::string predicate; // one JSON value
};

// The predicate's bytes are taken over as they are. Throws Error{invalid_input} unless they are one
// JSON value.
std::string render_statement(const Statement& statement);
// The one whose subject is `subject`. Throws Error{invalid_input} for no statement, Error{denied}
// for one about something else.
Statement parse_statement(std::string_view json, const image::Digest& subject);

} // namespace proof
