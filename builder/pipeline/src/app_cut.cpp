#include "app_cut.h"

#include <algorithm>
#include <bit>
#include <numeric>
#include <set>
#include <string_view>
#include <sys/stat.h>

namespace builder {
namespace {

// Layers that a large tree is aimed at; how many there are depends on its names. Below the least
// average a layer's own requests to the registry would cost more than its bytes.
constexpr std::uint64_t aimed_layers = 32, least_average = 8ull << 20;

std::uint64_t tar_bytes(const image::TreeListing::Entry& entry) {
    const std::uint64_t block = 512;
    return block + (S_ISREG(entry.mode) ? (entry.size + block - 1) / block * block : 0);
}

// FNV-1a, and a finish that spreads its high bits.
std::uint64_t hash_of(std::string_view name) {
    std::uint64_t hash = 0xcbf29ce484222325u;
    for (const char c : name) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3u;
    hash = (hash ^ hash >> 33) * 0xff51afd7ed558ccdu;
    hash = (hash ^ hash >> 33) * 0xc4ceb9fe1a85ec53u;
    return hash ^ hash >> 33;
}

// Of all entries about one in `average` bytes of tar begins a part; the power of two makes the
// boundaries of a tree that has doubled a part of those that it had.
bool begins_part(std::string_view name, std::uint64_t size, std::uint64_t average) {
    const auto step = ~std::uint64_t{0} / average;
    return hash_of(name) < std::min(size, average) * step;
}

std::vector<image::Selection> cut_at(const image::TreeListing& listing,
                                     const image::Selection& selection, std::uint64_t average) {
    const auto least = average / 2, most = average * 4;
    std::vector<image::Selection> parts(1);
    std::uint64_t bytes = 0;
    bool was_large = false;
    for (const auto place : selection) {
        const auto size = tar_bytes(listing.entry(place));
        // By itself, so that its small neighbours can change without it.
        const bool large = size >= average;
        if (bytes > 0 && (large || was_large || bytes + size > most ||
                          (bytes >= least && begins_part(listing.path(place), size, average)))) {
            parts.emplace_back();
            bytes = 0;
        }
        parts.back().push_back(place);
        bytes += size;
        was_large = large;
    }
    return parts;
}

void add_parents(const image::TreeListing& listing, image::Selection& part) {
    std::set<std::uint32_t> above;
    const auto first = part.front(); // a directory stands before what it holds
    for (const auto place : part)
        for (auto up = listing.parent(place); up < first; up = listing.parent(up))
            if (!above.insert(static_cast<std::uint32_t>(up)).second || up == 0) break;
    part.insert(part.begin(), above.begin(), above.end());
}

} // namespace

std::vector<image::Selection> cut_app(const image::TreeListing& listing,
                                      const image::Selection& selection) {
    const auto total = std::accumulate(
        selection.begin(), selection.end(), std::uint64_t{0},
        [&](auto sum, auto place) { return sum + tar_bytes(listing.entry(place)); });
    if (total <= largest_whole_app) return {selection};
    auto average = std::max(std::bit_ceil(total / aimed_layers), least_average);
    auto parts = cut_at(listing, selection, average);
    while (parts.size() > most_app_layers) parts = cut_at(listing, selection, average *= 2);
    for (auto& part : parts) add_parents(listing, part);
    return parts;
}

} // namespace builder
