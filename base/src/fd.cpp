#include "base/fd.h"

#include "base/error.h"
#include "base/text.h"

#include <cerrno>
#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

namespace base {

void UniqueFd::reset() noexcept {
    if (fd_ >= 0) ::close(fd_);
    fd_ = -1;
}

Pipe make_pipe() {
    int ends[2];
    if (::pipe2(ends, O_CLOEXEC) != 0) throw_errno("could not make a pipe");
    return {UniqueFd(ends[0]), UniqueFd(ends[1])};
}

std::pair<UniqueFd, UniqueFd> make_socket_pair() {
    int ends[2];
    if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0)
        throw_errno("could not make a socket pair");
    return {UniqueFd(ends[0]), UniqueFd(ends[1])};
}

UniqueFd open_file(const std::filesystem::path& path, int flags, unsigned mode) {
    int fd;
    do fd = ::open(path.c_str(), flags | O_CLOEXEC, mode);
    while (fd < 0 && errno == EINTR);
    if (fd < 0) throw_errno("could not open " + path.string());
    return UniqueFd(fd);
}

void write_all(int fd, std::string_view bytes) {
    while (!bytes.empty()) {
        const ssize_t n = ::write(fd, bytes.data(), bytes.size());
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) throw_errno("could not write");
        bytes.remove_prefix(static_cast<std::size_t>(n));
    }
}

std::size_t read_some(int fd, char* buffer, std::size_t size) {
    for (;;) {
        const ssize_t n = ::read(fd, buffer, size);
        if (n >= 0) return static_cast<std::size_t>(n);
        if (errno != EINTR) throw_errno("could not read");
    }
}

std::string read_to_end(int fd, std::size_t limit) {
    std::string bytes;
    char buffer[65536];
    while (const std::size_t n = read_some(fd, buffer, sizeof buffer)) {
        if (bytes.size() + n > limit)
            throw Error(ErrorKind::limit_exceeded,
                        "more than " + std::to_string(limit) + " bytes were given");
        bytes.append(buffer, n);
    }
    return bytes;
}

std::string read_file(const std::filesystem::path& path, std::size_t limit) {
    const UniqueFd file = open_file(path, O_RDONLY);
    return while_doing("reading " + path.string(), [&] { return read_to_end(file.get(), limit); });
}

void write_file(const std::filesystem::path& path, std::string_view bytes, unsigned mode) {
    const UniqueFd file = open_file(path, O_WRONLY | O_CREAT | O_TRUNC, mode);
    while_doing("writing " + path.string(), [&] { write_all(file.get(), bytes); });
}

void replace_file(const std::filesystem::path& path, std::string_view bytes, unsigned mode) {
    // Not named by the process: workers have pid namespaces of their own, and so equal numbers.
    auto temporary = path;
    temporary += ".new-" + random_hex(8);
    try {
        const UniqueFd file = open_file(temporary, O_WRONLY | O_CREAT | O_EXCL, mode);
        while_doing("writing " + path.string(), [&] { write_all(file.get(), bytes); });
        if (::fsync(file.get()) != 0) throw_errno("could not sync " + path.string());
        if (::rename(temporary.c_str(), path.c_str()) != 0)
            throw_errno("could not replace " + path.string());
    } catch (...) {
        ::unlink(temporary.c_str());
        throw;
    }
    const auto parent = path.has_parent_path() ? path.parent_path() : std::filesystem::path(".");
    const UniqueFd directory = open_file(parent, O_RDONLY | O_DIRECTORY);
    if (::fsync(directory.get()) != 0) throw_errno("could not sync " + parent.string());
}

} // namespace base
