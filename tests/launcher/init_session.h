// A running slipway-init and the engine's end of its two pipes.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <sys/types.h>
#include <vector>

struct Ask {
    std::uint32_t id = 1;
    std::vector<std::string> arguments;
    std::vector<std::string> environment = {"PATH=/usr/local/bin:/usr/bin:/bin"};
    std::string directory = "/";
    std::uint8_t flags = 0;
};

// Arguments of `sh -c SCRIPT`.
std::vector<std::string> shell(const std::string& script);

class InitSession {
  public:
    struct Frame {
        char type = 0;
        std::uint32_t id = 0;
        std::string payload;
    };

    struct Result {
        std::string out;
        std::string err;
        std::optional<int> status;
        bool spoke_after_exit = false;
    };

    // `wrapper`: words of a command line that runs init, such as unshare.
    explicit InitSession(const std::vector<std::string>& wrapper = {},
                         const std::string& program = SLIPWAY_BIN_DIR "/slipway-init");
    InitSession(const InitSession&) = delete;
    InitSession& operator=(const InitSession&) = delete;
    ~InitSession();

    pid_t pid() const { return pid_; }
    int frame_fd() const { return frames_; }

    static std::string encode(const Ask& ask);
    void send(const Ask& ask) { send_bytes(encode(ask)); }
    void send_bytes(const std::string& bytes);

    // Reads frames until the commands have ended, or fails the test after a generous time.
    std::map<std::uint32_t, Result> await(std::size_t exits);
    Result run(const Ask& ask);

    // One frame; nullopt at the end of the stream. Fails the test for one above the limit.
    std::optional<Frame> next_frame();

    void close_requests();
    void close_frames();
    // Exit code of init, or minus the signal.
    int wait();

  private:
    bool read_exactly(char* to, std::size_t size);

    pid_t pid_ = -1;
    int requests_ = -1;
    int frames_ = -1;
};

// True once the process is gone or a zombie; false after a generous time.
bool dies(pid_t pid);

// Words that run a command as process 1 of a new pid namespace with its own /proc, empty when
// this machine does not allow it.
std::vector<std::string> pid_namespace();
