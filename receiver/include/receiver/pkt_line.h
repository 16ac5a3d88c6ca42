// The two places where we speak git's pkt-line protocol ourselves: a refusal before git runs, and
// the first line that git advertises for an empty repository. One connection owns each object.
#pragma once

#include <string>
#include <string_view>

namespace receiver {

// "ERR text": the client prints "fatal: remote error: text" and ends.
std::string error_packet(std::string_view text);

// Passes on what git receive-pack advertises. An empty SHA-1 repository's first line names
// "capabilities^{}"; a client whose repository is SHA-256 calls that unexpected and dies of it.
// Renamed to a ".have" of an object that nobody has, the line means the same to every client,
// and that client says that the hash algorithms differ.
class Advertisement {
  public:
    // Bytes for the client. Holds back at most one unfinished packet.
    std::string pass(std::string_view bytes);
    // True once nothing will be changed or held back any more.
    bool over() const noexcept { return over_; }

  private:
    std::string held_;
    bool over_ = false;
};

} // namespace receiver
