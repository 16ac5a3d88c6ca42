// Frames on their way to the engine: a buffer of bounded size over a descriptor that is never
// waited for. While it is full, nobody reads the commands' pipes, so a slow engine slows the
// build down instead of filling memory.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace init {

class Outbox {
  public:
    explicit Outbox(int fd);

    // Whether one more frame of output fits.
    bool has_room() const;
    bool empty() const { return frames_.size() == sent_; }
    // The engine does not read any more; everything is dropped from here on.
    bool broken() const { return broken_; }

    void output(char type, std::uint32_t id, std::string_view bytes);
    // Always fits: there is at most one for each running command.
    void exit(std::uint32_t id, int status);

    // Writes what can be written without waiting.
    void flush();
    void give_up();

  private:
    void frame(char type, std::uint32_t id, std::string_view bytes);

    int fd_;
    std::string frames_;
    size_t sent_ = 0;
    bool broken_ = false;
};

} // namespace init
