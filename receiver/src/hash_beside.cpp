#include "hash_beside.h"

namespace receiver {

HashBeside::HashBeside() : bytes_(std::make_unique_for_overwrite<char[]>(pieces * piece_size)) {
    thread_.start([this](const base::Stop&) { hash(); });
}

HashBeside::~HashBeside() {
    progress_.lock()->closed = true;
    progress_.notify_all();
}

void HashBeside::hash() {
    for (;;) {
        std::uint64_t number = 0;
        std::size_t size = 0;
        {
            auto progress = progress_.lock();
            progress.wait([](const Progress& p) { return p.closed || p.hashed < p.added; });
            if (progress->hashed == progress->added) return;
            number = progress->hashed;
            size = progress->sizes[number % pieces];
        }
        hash_.update({piece(number), size});
        ++progress_.lock()->hashed;
        progress_.notify_all();
    }
}

char* HashBeside::next_piece() {
    auto progress = progress_.lock();
    progress.wait([](const Progress& p) { return p.added - p.hashed < pieces; });
    return piece(progress->added);
}

void HashBeside::add(std::size_t size) {
    {
        auto progress = progress_.lock();
        progress->sizes[progress->added % pieces] = size;
        ++progress->added;
    }
    progress_.notify_all();
}

base::Sha256::Digest HashBeside::finish() {
    progress_.lock()->closed = true;
    progress_.notify_all();
    thread_.join();
    return hash_.finish();
}

} // namespace receiver
