#include "init_session.h"

#include "launcher/init_protocol.h"

#include <catch2/catch.hpp>

#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <fcntl.h>
#include <poll.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

namespace {

constexpr int generous_ms = 60'000;

void append_u32(std::string& bytes, std::uint32_t number) {
    for (int shift = 0; shift < 32; shift += 8) bytes += static_cast<char>(number >> shift);
}

std::uint32_t u32_at(const char* bytes) {
    std::uint32_t number = 0;
    for (int i = 3; i >= 0; --i) number = number << 8 | static_cast<unsigned char>(bytes[i]);
    return number;
}

void append_list(std::string& bytes, const std::vector<std::string>& list) {
    bytes += std::to_string(list.size()) + '\0';
    for (const std::string& text : list) bytes += text + '\0';
}

} // namespace

std::vector<std::string> shell(const std::string& script) {
    return {"sh", "-c", script};
}

InitSession::InitSession(const std::vector<std::string>& wrapper, const std::string& program) {
    ::signal(SIGPIPE, SIG_IGN); // writing to an init that has ended is a failure, not the end
    std::vector<std::string> words = wrapper;
    words.push_back(program);
    std::vector<char*> pointers;
    for (std::string& word : words) pointers.push_back(word.data());
    pointers.push_back(nullptr);

    int requests[2];
    int frames[2];
    REQUIRE(::pipe2(requests, O_CLOEXEC) == 0);
    REQUIRE(::pipe2(frames, O_CLOEXEC) == 0);
    pid_ = ::fork();
    if (pid_ == 0) {
        ::dup2(requests[0], STDIN_FILENO);
        ::dup2(frames[1], STDOUT_FILENO);
        ::dup2(STDERR_FILENO, 77); // something left open by a careless parent
        ::execvp(pointers[0], pointers.data());
        ::_exit(199);
    }
    ::close(requests[0]);
    ::close(frames[1]);
    requests_ = requests[1];
    frames_ = frames[0];
}

InitSession::~InitSession() {
    close_requests();
    close_frames();
    if (pid_ > 0) {
        ::kill(pid_, SIGKILL);
        ::waitpid(pid_, nullptr, 0);
    }
}

std::string InitSession::encode(const Ask& ask) {
    std::string payload;
    append_u32(payload, ask.id);
    payload += static_cast<char>(ask.flags);
    payload += ask.directory + '\0';
    append_list(payload, ask.environment);
    append_list(payload, ask.arguments);
    std::string bytes;
    append_u32(bytes, static_cast<std::uint32_t>(payload.size()));
    return bytes + payload;
}

void InitSession::send_bytes(const std::string& bytes) {
    const char* at = bytes.data();
    for (size_t left = bytes.size(); left > 0;) {
        const ssize_t written = ::write(requests_, at, left);
        REQUIRE(written > 0);
        at += written;
        left -= static_cast<size_t>(written);
    }
}

bool InitSession::read_exactly(char* to, size_t size) {
    for (size_t done = 0; done < size;) {
        pollfd ready{frames_, POLLIN, 0};
        if (::poll(&ready, 1, generous_ms) != 1) FAIL("init is silent");
        const ssize_t got = ::read(frames_, to + done, size - done);
        if (got < 0) FAIL("cannot read frames");
        if (got == 0 && done > 0) FAIL("init ended inside a frame");
        if (got == 0) return false;
        done += static_cast<size_t>(got);
    }
    return true;
}

std::optional<InitSession::Frame> InitSession::next_frame() {
    char header[launcher::frame_header_size];
    if (!read_exactly(header, sizeof header)) return std::nullopt;
    const std::uint32_t size = u32_at(header + 5);
    if (size > launcher::output_limit) FAIL("a frame of " << size << " bytes");
    Frame frame{header[0], u32_at(header + 1), std::string(size, '\0')};
    if (size > 0 && !read_exactly(frame.payload.data(), size)) FAIL("init ended inside a frame");
    return frame;
}

std::map<std::uint32_t, InitSession::Result> InitSession::await(size_t exits) {
    std::map<std::uint32_t, Result> results;
    while (exits > 0) {
        const auto frame = next_frame();
        if (!frame) FAIL("init ended with " << exits << " commands still to end");
        Result& result = results[frame->id];
        result.spoke_after_exit |= result.status.has_value();
        if (frame->type == launcher::frame_stdout) {
            result.out += frame->payload;
        } else if (frame->type == launcher::frame_stderr) {
            result.err += frame->payload;
        } else {
            REQUIRE(frame->type == launcher::frame_exit);
            REQUIRE(frame->payload.size() == launcher::exit_payload_size);
            result.status = static_cast<std::int32_t>(u32_at(frame->payload.data()));
            --exits;
        }
    }
    return results;
}

InitSession::Result InitSession::run(const Ask& ask) {
    send(ask);
    return await(1).at(ask.id);
}

void InitSession::close_requests() {
    if (requests_ >= 0) ::close(requests_);
    requests_ = -1;
}

void InitSession::close_frames() {
    if (frames_ >= 0) ::close(frames_);
    frames_ = -1;
}

int InitSession::wait() {
    REQUIRE(dies(pid_));
    int status = 0;
    REQUIRE(::waitpid(pid_, &status, 0) == pid_);
    pid_ = -1;
    return WIFSIGNALED(status) ? -WTERMSIG(status) : WEXITSTATUS(status);
}

bool dies(pid_t pid) {
    const int fd = static_cast<int>(::syscall(SYS_pidfd_open, pid, 0));
    if (fd < 0) return errno == ESRCH;
    pollfd ended{fd, POLLIN, 0};
    const bool dead = ::poll(&ended, 1, generous_ms) == 1;
    ::close(fd);
    return dead;
}

std::vector<std::string> pid_namespace() {
    const std::string options = "--kill-child --pid --fork --mount-proc";
    for (const std::string& user : {std::string{}, std::string{" --user --map-root-user"}}) {
        const std::string command = "unshare " + options + user;
        if (std::system((command + " true 2>/dev/null").c_str()) != 0) continue;
        std::vector<std::string> words{"unshare", "--kill-child", "--pid", "--fork",
                                       "--mount-proc"};
        if (!user.empty()) words.insert(words.end(), {"--user", "--map-root-user"});
        return words;
    }
    return {};
}
