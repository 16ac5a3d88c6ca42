#include "base/buffer.h"

#include "base/guarded.h"

#include <map>

namespace base {
namespace {

struct Kept {
    unsigned keepers = 0;
    std::multimap<std::size_t, std::unique_ptr<char[]>> buffers; // by their size
};

Guarded<Kept>& kept() {
    static Guarded<Kept> all;
    return all;
}

} // namespace

void GiveBuffer::operator()(char* bytes) const noexcept {
    std::unique_ptr<char[]> given(bytes);
    try {
        auto all = kept().lock();
        if (all->keepers > 0) all->buffers.emplace(size, std::move(given));
    } catch (const std::bad_alloc&) { // nor is there memory for keeping it
    }
}

Buffer take_buffer(std::size_t size) {
    if (auto found = kept().lock()->buffers.extract(size))
        return {found.mapped().release(), GiveBuffer{size}};
    return {std::make_unique_for_overwrite<char[]>(size).release(), GiveBuffer{size}};
}

KeepBuffers::KeepBuffers() {
    ++kept().lock()->keepers;
}

KeepBuffers::~KeepBuffers() {
    decltype(Kept::buffers) going; // unlocked
    auto all = kept().lock();
    if (--all->keepers == 0) going.swap(all->buffers);
}

} // namespace base
