#include "signatures.h"

#include "builder/target.h"

#include "base/fd.h"
#include "base/text.h"

#include <algorithm>

namespace server {
namespace {

constexpr std::size_t largest_log = 16u << 20;

std::vector<base::PublicKey> read_public_keys(const std::filesystem::path& file,
                                              const base::PublicKey& own) {
    std::vector<base::PublicKey> keys{own};
    if (!std::filesystem::exists(file)) return keys;
    for (auto& key : base::PublicKey::parse_all(base::read_file(file, 1u << 20)))
        if (key.id() != own.id()) keys.push_back(std::move(key));
    return keys;
}

std::string render(const std::vector<base::PublicKey>& keys) {
    std::string text;
    for (const auto& key : keys) text += key.pem();
    return text;
}

} // namespace

// The list is written when another key signs from now on: what the one before signed stays good.
Signatures::Signatures(SignatureSettings settings)
    : settings_(std::move(settings)), key_(base::KeyPair::open(settings_.key)),
      public_keys_(read_public_keys(settings_.public_keys, key_.public_key())) {
    const auto text = render(public_keys_);
    if (!std::filesystem::exists(settings_.public_keys) ||
        base::read_file(settings_.public_keys, 1u << 20) != text)
        base::replace_file(settings_.public_keys, text, 0644);
}

void Signatures::attach(const PublishedBuild& build, const base::Stop& stop) const {
    if (!std::holds_alternative<builder::RegistryTarget>(build.job.target)) return;
    const auto access =
        settings_.registry_access ? settings_.registry_access() : builder::settings_of(build.job);
    const auto store = builder::open_target(build.job.target, access);
    builder::Witness witness{.builder = settings_.builder.empty()
                                            ? "urn:slipway:server:" + key_.public_key().id()
                                            : settings_.builder,
                             .version = settings_.version,
                             .ref = build.row.ref,
                             .started = build.row.started,
                             .finished = apps::now_milliseconds()};
    if (std::holds_alternative<builder::GitTree>(build.job.source))
        witness.repository_url = settings_.repository_url(build.job.app);
    const auto materials = build.materials.empty() ? builder::materials_of(build.job)
                                                   : builder::parse_materials(build.materials);
    builder::attach_proof(*store, build.job, build.published, materials, build.log, witness, key_,
                          stop);
}

std::string whole_log(BuildLog& log) {
    std::string text;
    for (std::uint64_t offset = 0;;) {
        auto piece = log.read(offset);
        if (piece.next == offset) return text;
        if (text.size() + piece.text.size() > largest_log)
            return text + "-----> The log is longer; the server has the rest\n";
        text += piece.text;
        offset = piece.next;
    }
}

} // namespace server
