#include "hash_beside.h"

namespace receiver {

HashBeside::HashBeside() : bytes_(std::make_unique_for_overwrite<char[]>(pieces * piece_size)) {
    thread_.start([this](const base::Stop&) { hash_beside(); });
}

HashBeside::~HashBeside() {
    progress_.lock()->closed = true;
    progress_.notify_all();
}

void HashBeside::hash_beside() {
    for (;;) {
        {
            auto progress = progress_.lock();
            progress.wait(
                [](const Progress& p) { return p.closed || (!p.busy && p.hashed < p.added); });
            if (progress->closed) return; // whoever finishes does the rest
        }
        hash_oldest();
    }
}

// False: there is none, or somebody is at it.
bool HashBeside::hash_oldest() {
    std::uint64_t number = 0;
    std::size_t size = 0;
    {
        auto progress = progress_.lock();
        if (progress->busy || progress->hashed == progress->added) return false;
        progress->busy = true;
        number = progress->hashed;
        size = progress->sizes[number % pieces];
    }
    hash_.update({piece(number), size});
    {
        auto progress = progress_.lock();
        ++progress->hashed;
        progress->busy = false;
    }
    progress_.notify_all();
    return true;
}

char* HashBeside::next_piece() {
    for (;;) {
        {
            auto progress = progress_.lock();
            if (progress->added - progress->hashed < pieces) return piece(progress->added);
        }
        // On a busy machine the thread beside is not woken in time.
        if (hash_oldest()) continue;
        progress_.lock().wait(
            [](const Progress& p) { return !p.busy || p.added - p.hashed < pieces; });
    }
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
    while (hash_oldest()) {
    }
    return hash_.finish();
}

} // namespace receiver
