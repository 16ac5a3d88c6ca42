#include "proof/envelope.h"

#include "base/crypto.h"
#include "base/error.h"
#include "base/json.h"

#include <algorithm>
#include <nlohmann/json.hpp>

namespace proof {
namespace {

using base::Error;
using base::ErrorKind;
using base::json::Value;

constexpr std::size_t most_signatures = 100;

const Value& member(const Value& object, const char* name, Value::value_t type) {
    const auto found = object.find(name);
    if (found == object.end() || found->type() != type)
        throw Error(ErrorKind::invalid_input,
                    std::string("the signed text lacks \"") + name + "\"");
    return *found;
}

} // namespace

std::string pre_authentication_encoding(std::string_view type, std::string_view payload) {
    std::string bytes = "DSSEv1";
    for (const auto part : {type, payload})
        (bytes += " " + std::to_string(part.size()) + " ") += part;
    return bytes;
}

std::string seal(std::string_view payload, const base::KeyPair& key) {
    const auto signature = key.sign(pre_authentication_encoding(in_toto_payload, payload));
    nlohmann::ordered_json envelope{{"payloadType", in_toto_payload},
                                    {"payload", base::base64_encode(payload)}};
    envelope["signatures"] = {
        {{"keyid", key.public_key().id()}, {"sig", base::base64_encode(signature)}}};
    return envelope.dump();
}

Opened open(std::string_view envelope, const std::vector<base::PublicKey>& keys) {
    const auto value = base::json::parse(envelope, "the envelope");
    const auto payload = base::base64_decode(base::json::get_string(value, "payload"));
    const auto bytes =
        pre_authentication_encoding(base::json::get_string(value, "payloadType"), payload);
    const auto& signatures = member(value, "signatures", Value::value_t::array);
    if (signatures.size() > most_signatures)
        throw Error(ErrorKind::invalid_input, "the envelope has too many signatures");
    Opened opened;
    for (const auto& each : signatures) {
        const auto signature = base::base64_decode(base::json::get_string(each, "sig"));
        const auto id = base::json::find_string(each, "keyid").value_or("");
        for (const auto& key : keys) {
            if (key.has_signed(bytes, signature)) return {Seal::valid, payload, key.id()};
            if (key.id() == id) opened.seal = Seal::changed;
        }
    }
    return opened;
}

std::string render_simple_signing(std::string_view name, const image::Digest& image) {
    const nlohmann::ordered_json value{{"critical",
                                        {{"identity", {{"docker-reference", name}}},
                                         {"image", {{"docker-manifest-digest", image.render()}}},
                                         {"type", "cosign container image signature"}}},
                                       {"optional", nullptr}};
    return value.dump();
}

SimpleSigning parse_simple_signing(std::string_view json) {
    const auto value = base::json::parse(json, "the signed text");
    const auto object = Value::value_t::object;
    const auto& critical = member(value, "critical", object);
    const auto identity = critical.find("identity");
    return {identity != critical.end() && identity->is_object()
                ? base::json::find_string(*identity, "docker-reference").value_or("")
                : "",
            image::Digest::parse(base::json::get_string(member(critical, "image", object),
                                                        "docker-manifest-digest"))};
}

} // namespace proof
