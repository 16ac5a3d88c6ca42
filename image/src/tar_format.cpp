#include "tar_format.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <map>
#include <optional>
#include <utility>

namespace image {
namespace {

constexpr std::uint64_t fixed_time = 315532801; // 1980-01-01T00:00:01Z, CNB platform specification
constexpr std::size_t longest_name = 100, longest_prefix = 155;

struct Field {
    std::size_t offset, size;
};
constexpr Field name_field{0, 100}, mode_field{100, 8}, uid_field{108, 8}, gid_field{116, 8},
    size_field{124, 12}, time_field{136, 12}, checksum_field{148, 8}, link_field{157, 100},
    major_field{329, 8}, minor_field{337, 8}, prefix_field{345, 155};

using Block = std::array<char, tar_block>;

void put_text(Block& block, Field field, std::string_view text) {
    text.copy(block.data() + field.offset, field.size);
}

bool fits_octal(Field field, std::uint64_t number) {
    return number < std::uint64_t{1} << 3 * (field.size - 1);
}

void put_octal(Block& block, Field field, std::uint64_t number) {
    if (!fits_octal(field, number)) number = 0; // a pax record says it
    for (std::size_t i = field.size - 1; i-- > 0; number >>= 3)
        block[field.offset + i] = static_cast<char>('0' + (number & 7));
}

void finish(Block& block) {
    std::memcpy(block.data() + 257, "ustar\00000", 8);
    put_text(block, checksum_field, "        ");
    unsigned sum = 0;
    for (const char byte : block) sum += static_cast<unsigned char>(byte);
    put_octal(block, {checksum_field.offset, 7}, sum);
    block[checksum_field.offset + 6] = '\0';
}

bool is_ascii(std::string_view text) {
    return std::all_of(text.begin(), text.end(),
                       [](char c) { return static_cast<unsigned char>(c) < 0x80; });
}

std::string ascii_of(std::string_view text) {
    std::string kept;
    std::copy_if(text.begin(), text.end(), std::back_inserter(kept),
                 [](char c) { return static_cast<unsigned char>(c) < 0x80; });
    return kept;
}

// Prefix and name of a long name, split at the last slash that the prefix can hold.
std::optional<std::pair<std::string_view, std::string_view>> split(std::string_view name) {
    const auto slash = name.substr(0, longest_prefix + 1).rfind('/');
    if (slash == name.npos || slash == 0) return {};
    const auto rest = name.substr(slash + 1);
    if (rest.empty() || rest.size() > longest_name) return {};
    return std::pair(name.substr(0, slash), rest);
}

// "LENGTH key=value\n", where LENGTH counts its own digits.
std::string pax_record(std::string_view key, std::string_view value) {
    const std::size_t rest = key.size() + value.size() + 3;
    std::size_t length = rest;
    while (length != rest + std::to_string(length).size())
        length = rest + std::to_string(length).size();
    return std::to_string(length) + " " + std::string(key) + "=" + std::string(value) + "\n";
}

std::string pax_header(std::string_view name, const std::map<std::string, std::string>& records) {
    std::string body;
    for (const auto& [key, value] : records) body += pax_record(key, value);

    const auto slash = name.rfind('/');
    const std::string directory(slash == name.npos ? "" : name.substr(0, slash + 1));
    auto own = ascii_of(directory + "PaxHeaders.0/" + std::string(name.substr(slash + 1)));
    own.resize(std::min(own.size(), longest_name));
    while (own.ends_with('/')) own.pop_back();

    Block block{};
    put_text(block, name_field, own);
    for (const Field field : {mode_field, uid_field, gid_field, time_field})
        put_octal(block, field, 0);
    put_octal(block, size_field, body.size());
    block[156] = 'x';
    finish(block);

    std::string bytes(block.data(), block.size());
    body.resize(body.size() + tar_padding(body.size()));
    return bytes + body;
}

std::map<std::string, std::string> pax_records(const TarEntry& entry, bool& needed) {
    std::map<std::string, std::string> records;
    if (!is_ascii(entry.name) || entry.name.size() > longest_name) {
        if (!is_ascii(entry.name) || !split(entry.name)) needed = true;
        records["path"] = std::string(entry.name);
    }
    if (!is_ascii(entry.link) || entry.link.size() > longest_name) {
        needed = true;
        records["linkpath"] = std::string(entry.link);
    }
    const auto number = [&](const char* key, Field field, std::uint64_t value) {
        if (fits_octal(field, value)) return;
        needed = true;
        records[key] = std::to_string(value);
    };
    number("uid", uid_field, entry.uid);
    number("gid", gid_field, entry.gid);
    number("size", size_field, entry.size);
    return records;
}

} // namespace

std::string encode_tar_header(const TarEntry& entry) {
    bool needs_pax = false;
    const auto records = pax_records(entry, needs_pax);
    std::string bytes;
    Block block{};
    if (needs_pax) {
        bytes = pax_header(entry.name, records);
        put_text(block, name_field, ascii_of(entry.name));
        put_text(block, link_field, ascii_of(entry.link));
    } else {
        std::string_view name = entry.name;
        if (name.size() > longest_name) {
            const auto [prefix, rest] = *split(name);
            put_text(block, prefix_field, prefix);
            name = rest;
        }
        put_text(block, name_field, name);
        put_text(block, link_field, entry.link);
    }
    put_octal(block, mode_field, entry.mode);
    put_octal(block, uid_field, entry.uid);
    put_octal(block, gid_field, entry.gid);
    put_octal(block, size_field, entry.size);
    put_octal(block, time_field, fixed_time);
    put_octal(block, major_field, 0);
    put_octal(block, minor_field, 0);
    block[156] = entry.type;
    finish(block);
    return bytes.append(block.data(), block.size());
}

} // namespace image
