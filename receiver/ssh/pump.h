// Moves bytes between the SSH channel and git until git has ended: one thread, one poll loop, and
// never more in memory than one piece each way besides what the SSH windows hold.
//
// A client that leaves does not stop a push: git's input is closed, its output is read and thrown
// away until it ends, so that a build which runs goes on and the ref moves after it.
#pragma once

#include "base/stop.h"
#include "receiver/pkt_line.h"
#include "ssh/front.h"
#include "ssh/git_command.h"

#include <chrono>
#include <string>
#include <vector>

namespace receiver {

class Pump {
  public:
    Pump(Front& front, Service service, RunningGit git, std::chrono::seconds idle_timeout);

    // Returns git's exit code (128 + n for a signal). On a stop git is asked to end.
    int run(const base::Stop& stop);
    bool client_left() const noexcept { return client_left_; }

  private:
    enum class Stream { output, error };

    void wait(const base::Stop& stop);
    int milliseconds_left() const;
    void let_libssh_work();
    void take_from_client();
    void feed_git();
    bool carry(Stream stream, base::UniqueFd& from);
    bool has_room() const;
    void send(Stream stream, std::string_view bytes);
    void lose_client() noexcept;
    void note_progress() noexcept { last_progress_ = base::Stop::Clock::now(); }

    Front& front_;
    Service service_;
    RunningGit git_;
    std::chrono::seconds idle_timeout_;
    base::Stop::Clock::time_point last_progress_ = base::Stop::Clock::now();
    Advertisement advertisement_;
    std::vector<char> piece_;   // scratch for what git says
    std::vector<char> inbound_; // what the client sent and git has not taken yet
    std::size_t inbound_begin_ = 0;
    std::size_t inbound_end_ = 0;
    bool client_left_ = false;
    bool client_finished_ = false; // it sent EOF
    bool git_ended_ = false;
};

// Exit status, end of file, close, and then a moment for the client to go first: a socket closed
// over unread bytes would reset the connection and take our last words with it.
void finish_channel(Front& front, int exit_code, const base::Stop& stop) noexcept;

} // namespace receiver
