#include "outbox.h"

#include "launcher/init_protocol.h"
#include "request.h"

#include <cerrno>
#include <fcntl.h>
#include <unistd.h>

namespace init {
namespace {

constexpr size_t capacity = 256 * 1024;

} // namespace

Outbox::Outbox(int fd) : fd_(fd) {
    ::fcntl(fd, F_SETFL, ::fcntl(fd, F_GETFL) | O_NONBLOCK);
}

bool Outbox::has_room() const {
    return frames_.size() - sent_ + launcher::frame_header_size + launcher::output_limit <=
           capacity;
}

void Outbox::frame(char type, std::uint32_t id, std::string_view bytes) {
    if (broken_) return;
    if (sent_ > 0) {
        frames_.erase(0, sent_);
        sent_ = 0;
    }
    frames_ += type;
    append_u32(frames_, id);
    append_u32(frames_, static_cast<std::uint32_t>(bytes.size()));
    frames_.append(bytes);
}

void Outbox::output(char type, std::uint32_t id, std::string_view bytes) {
    frame(type, id, bytes);
}

void Outbox::exit(std::uint32_t id, int status) {
    std::string payload;
    append_u32(payload, static_cast<std::uint32_t>(status));
    frame(launcher::frame_exit, id, payload);
}

void Outbox::flush() {
    while (!empty()) {
        const ssize_t written = ::write(fd_, frames_.data() + sent_, frames_.size() - sent_);
        if (written < 0 && errno == EINTR) continue;
        if (written < 0 && errno == EAGAIN) return;
        if (written < 0) return give_up();
        sent_ += static_cast<size_t>(written);
    }
    frames_.clear();
    sent_ = 0;
}

void Outbox::give_up() {
    broken_ = true;
    frames_.clear();
    sent_ = 0;
}

} // namespace init
