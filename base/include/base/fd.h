// Owned file descriptors and whole reads and writes on them. Thread-compatible.
#pragma once

#include <cstddef>
#include <filesystem>
#include <string>
#include <string_view>
#include <utility>

namespace base {

class UniqueFd {
  public:
    UniqueFd() noexcept = default;
    explicit UniqueFd(int fd) noexcept : fd_(fd) {}
    UniqueFd(UniqueFd&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
    UniqueFd& operator=(UniqueFd&& other) noexcept {
        if (this != &other) {
            reset();
            fd_ = std::exchange(other.fd_, -1);
        }
        return *this;
    }
    ~UniqueFd() { reset(); }

    int get() const noexcept { return fd_; }
    explicit operator bool() const noexcept { return fd_ >= 0; }
    int release() noexcept { return std::exchange(fd_, -1); }
    void reset() noexcept;

  private:
    int fd_ = -1;
};

struct Pipe {
    UniqueFd read;
    UniqueFd write;
};

// All of these throw base::Error; descriptors are close-on-exec.
Pipe make_pipe();
std::pair<UniqueFd, UniqueFd> make_socket_pair();
UniqueFd open_file(const std::filesystem::path& path, int flags, unsigned mode = 0644);

void write_all(int fd, std::string_view bytes);
// Up to `size` bytes, 0 at the end of the file; retries EINTR.
std::size_t read_some(int fd, char* buffer, std::size_t size);
std::string read_to_end(int fd, std::size_t limit);

std::string read_file(const std::filesystem::path& path, std::size_t limit = 64u << 20);
void write_file(const std::filesystem::path& path, std::string_view bytes, unsigned mode = 0644);
// Durable and atomic: temporary file beside it, fsync, rename, fsync of the directory.
void replace_file(const std::filesystem::path& path, std::string_view bytes, unsigned mode = 0644);

} // namespace base
