// Cuts a large application directory into layers, so that one changed file makes one small layer
// anew. Where it is cut depends on the names and sizes around the place alone, so that a file that
// comes, goes or grows moves no boundary but those beside it. A pure function: equal trees are cut
// alike on every machine. Changing it changes every large image.
#pragma once

#include "image/tree_listing.h"

#include <cstdint>
#include <vector>

namespace builder {

// Bytes of tar. One layer up to the first; above it, never more layers than the second.
inline constexpr std::uint64_t largest_whole_app = 64ull << 20;
inline constexpr std::size_t most_app_layers = 40;

// listing: by path. Each part has the directories above what it holds. Always one part at least.
std::vector<image::Selection> cut_app(const image::TreeListing& listing,
                                      const image::Selection& selection);

} // namespace builder
