#include "proof/statement.h"

#include "base/error.h"
#include "base/json.h"
#include "base/text.h"

#include <nlohmann/json.hpp>

namespace proof {
namespace {

using base::Error;
using base::ErrorKind;

constexpr std::string_view statement_type = "https://in-toto.io/Statement/v1";
constexpr std::string_view older_statement_type = "https://in-toto.io/Statement/v0.1";

std::string json_text(std::string_view text) {
    return base::json::render(base::json::Value(text));
}

bool is_about(const base::json::Value& subject, const image::Digest& image) {
    const auto digest = subject.find("digest");
    return digest != subject.end() && digest->is_object() &&
           base::json::find_string(*digest, "sha256") == image.hex();
}

} // namespace

// Put together as text: a bill of materials has megabytes, and its bytes stay those that were told.
std::string render_statement(const Statement& statement) {
    // What is no single value could end the predicate and name another subject behind it.
    if (!base::json::Value::accept(statement.predicate))
        throw Error(ErrorKind::invalid_input, "what would be said about the image (" +
                                                  statement.predicate_type + ") is not JSON");
    return "{\"_type\":" + json_text(statement_type) +
           ",\"subject\":[{\"name\":" + json_text(statement.name) +
           ",\"digest\":{\"sha256\":" + json_text(statement.subject.hex()) +
           "}}],\"predicateType\":" + json_text(statement.predicate_type) +
           ",\"predicate\":" + statement.predicate + "}";
}

Statement parse_statement(std::string_view json, const image::Digest& subject) {
    const auto value = base::json::parse(json, "the statement");
    const auto type = base::json::get_string(value, "_type");
    if (type != statement_type && type != older_statement_type)
        throw Error(ErrorKind::invalid_input,
                    "the statement has the unknown type " + base::quoted(type.substr(0, 100)));
    const auto subjects = value.find("subject");
    if (subjects == value.end() || !subjects->is_array())
        throw Error(ErrorKind::invalid_input, "the statement names nothing that it is about");
    for (const auto& each : *subjects) {
        if (!each.is_object() || !is_about(each, subject)) continue;
        const auto predicate = value.find("predicate");
        return {base::json::find_string(each, "name").value_or(""), subject,
                base::json::get_string(value, "predicateType"),
                predicate == value.end() ? "null" : base::json::render(*predicate)};
    }
    throw Error(ErrorKind::denied, "the statement is about another image than " + subject.render());
}

} // namespace proof
