#include "log_hub.h"

#include "base/error.h"
#include "base/log.h"

#include <algorithm>
#include <cerrno>
#include <map>
#include <string_view>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>
#include <unordered_map>
#include <utility>

namespace server {
namespace {

using Clock = std::chrono::steady_clock;

// What one reader may hold, and what all at one place share.
constexpr std::size_t longest_piece = 16u << 10;
// Pieces for one reader before the others have their turn.
constexpr int pieces_a_turn = 16;
// A reader of a log has little to say.
constexpr std::size_t longest_message = 4096;

std::string frame(LogFraming framing, std::string text) {
    if (framing == LogFraming::chunked) return http::render_chunk(text);
    if (framing == LogFraming::websocket)
        return http::render_frame(http::WebSocketOpcode::text, text);
    return text;
}

std::string end_of(LogFraming framing) {
    if (framing == LogFraming::chunked) return http::render_chunk({});
    if (framing == LogFraming::websocket)
        return http::render_frame(http::WebSocketOpcode::close, "\x03\xe8"); // 1000: as it should
    return {};
}

// Rendered and framed, shared by the readers that are at one place.
struct Rendered {
    std::uint64_t from = 0;
    std::uint64_t next = 0;
    std::string bytes;
};

struct Cache {
    std::shared_ptr<const Rendered> piece;
    std::shared_ptr<const Rendered> last;
};

struct Reader;

// One log that somebody follows.
struct Source {
    std::uint64_t id = 0;
    std::shared_ptr<BuildLog> log;
    std::filesystem::path file;
    std::shared_ptr<BuildLog::Follower> news; // empty for a log that has ended
    std::map<std::pair<std::string, LogFraming>, Cache> rendered;
    std::vector<Reader*> readers;
    LogPiece read(std::uint64_t offset) const {
        return log ? log->read(offset, longest_piece) : read_log_file(file, offset, longest_piece);
    }
};

enum class Stage { log, last, done, closing };

struct Reader {
    std::uint64_t id = 0;
    std::unique_ptr<http::Connection> connection;
    LogFraming framing = LogFraming::plain;
    LogFormat format;
    Source* source = nullptr;
    Cache* rendered = nullptr;
    std::uint64_t offset = 0;
    Stage stage = Stage::log;
    std::shared_ptr<const Rendered> current; // being written
    std::size_t at = 0;
    bool armed = false; // epoll tells when it takes bytes again
    std::string reply;  // to a ping
    std::string heard;  // of a websocket, less than a message
    Clock::time_point moved = Clock::now();
};

} // namespace

class LogHub::Loop {
  public:
    Loop(LogHub& hub, const base::Stop& stop);
    void run();

  private:
    void take_added();
    void take(LogReader added);
    Source& source_of(const LogReader& added);
    void hear_of(Source& source);
    void turn(Reader& reader);
    bool listen(Reader& reader);
    bool write(Reader& reader);
    bool find_next(Reader& reader);
    std::shared_ptr<const Rendered> piece_for(Reader& reader, bool& over);
    std::shared_ptr<const Rendered> last_for(Reader& reader);
    void say(Reader& reader, std::string bytes);
    void arm(Reader& reader, bool armed);
    void sweep();
    void drop(Reader& reader);
    void watch(int fd, std::uint64_t id, std::uint32_t events, int operation);

    LogHub& hub_;
    const base::Stop& stop_;
    base::UniqueFd epoll_;
    std::uint64_t last_id_ = 1; // 0 and 1: the stop, the hub's own wake
    std::unordered_map<std::uint64_t, std::unique_ptr<Reader>> readers_;
    std::unordered_map<std::uint64_t, std::unique_ptr<Source>> sources_;
    std::vector<std::uint64_t> unfinished_; // had their turn, and more to write
    Clock::time_point swept_ = Clock::now();
};

LogHub::Loop::Loop(LogHub& hub, const base::Stop& stop)
    : hub_(hub), stop_(stop), epoll_(::epoll_create1(EPOLL_CLOEXEC)) {
    if (!epoll_) base::throw_errno("could not make an epoll");
    watch(stop_.fd(), 0, EPOLLIN, EPOLL_CTL_ADD);
    watch(hub_.wake_.get(), 1, EPOLLIN, EPOLL_CTL_ADD);
}

void LogHub::Loop::watch(int fd, std::uint64_t id, std::uint32_t events, int operation) {
    epoll_event event{};
    event.events = events;
    event.data.u64 = id;
    if (::epoll_ctl(epoll_.get(), operation, fd, &event) != 0)
        base::throw_errno("could not watch a reader of a log");
}

void LogHub::Loop::run() {
    const auto rest = std::max(hub_.settings_.heartbeat / 3, std::chrono::milliseconds(1));
    epoll_event events[256];
    while (!stop_.requested()) {
        const auto pause = unfinished_.empty() && !readers_.empty() ? rest : rest * 0;
        const int timeout = readers_.empty() ? -1 : static_cast<int>(pause.count());
        const int n = ::epoll_wait(epoll_.get(), events, std::size(events), timeout);
        if (n < 0 && errno != EINTR) base::throw_errno("could not wait for readers of logs");
        for (const auto id : std::exchange(unfinished_, {}))
            if (const auto found = readers_.find(id); found != readers_.end()) turn(*found->second);
        for (int i = 0; i < n; ++i) {
            const auto id = events[i].data.u64;
            if (id == 1) take_added();
            if (const auto source = sources_.find(id); source != sources_.end())
                hear_of(*source->second);
            const auto found = readers_.find(id); // may be gone by an earlier event
            if (found != readers_.end() && listen(*found->second)) turn(*found->second);
        }
        if (Clock::now() - swept_ >= rest) sweep();
    }
    // A build that has just ended: what its readers' connections take at once, they still get.
    std::vector<std::uint64_t> ids;
    for (const auto& [id, reader] : readers_) ids.push_back(id);
    for (const auto id : ids) turn(*readers_.at(id));
}

void LogHub::Loop::take_added() {
    std::uint64_t count = 0;
    [[maybe_unused]] const auto read = ::read(hub_.wake_.get(), &count, sizeof count);
    for (auto& added : std::exchange(*hub_.added_.lock(), {})) {
        try {
            take(std::move(added));
        } catch (const std::exception& failure) {
            base::log::warning("a reader of a log was lost", {{"reason", failure.what()}});
        }
    }
    hub_.readers_ = readers_.size();
}

void LogHub::Loop::take(LogReader added) {
    auto made = std::make_unique<Reader>();
    auto& source = source_of(added);
    made->id = ++last_id_;
    made->connection = std::move(added.connection);
    made->framing = added.framing;
    made->format = std::move(added.format);
    made->source = &source;
    made->rendered = &source.rendered[{made->format.name, made->framing}];
    made->offset = added.offset;
    watch(made->connection->fd(), made->id, EPOLLIN | EPOLLRDHUP, EPOLL_CTL_ADD);
    source.readers.push_back(made.get());
    auto& reader = *readers_.emplace(made->id, std::move(made)).first->second;
    if (listen(reader)) turn(reader); // bytes may have come with the request
}

Source& LogHub::Loop::source_of(const LogReader& added) {
    for (const auto& [id, source] : sources_)
        if (source->log == added.log && (added.log || source->file == added.file)) return *source;
    auto made = std::make_unique<Source>();
    made->id = ++last_id_;
    made->log = added.log;
    made->file = added.file;
    if (made->log) {
        made->news = made->log->follow();
        watch(made->news->fd(), made->id, EPOLLIN, EPOLL_CTL_ADD);
    }
    return *sources_.emplace(made->id, std::move(made)).first->second;
}

// Those who are behind come when their connections take bytes again.
void LogHub::Loop::hear_of(Source& source) {
    source.news->clear();
    const auto readers = source.readers; // a turn may end one, and the source with it
    for (auto* reader : readers)
        if (!reader->current) turn(*reader);
}

// False: the reader is gone.
bool LogHub::Loop::listen(Reader& reader) {
    char buffer[4096];
    for (int i = 0; i < pieces_a_turn; ++i) { // who floods us waits as well
        const auto n = reader.connection->try_read(buffer, sizeof buffer);
        if (!n) return drop(reader), false;
        if (*n == 0) return true;
        if (reader.framing != LogFraming::websocket) continue; // nothing is asked any more
        try {
            reader.heard.append(buffer, *n);
            while (const auto message = http::take_frame(reader.heard, longest_message)) {
                if (message->opcode == http::WebSocketOpcode::close) return drop(reader), false;
                if (message->opcode == http::WebSocketOpcode::ping)
                    reader.reply =
                        http::render_frame(http::WebSocketOpcode::pong, message->payload);
            }
        } catch (const base::Error&) {
            return drop(reader), false;
        }
    }
    return true;
}

void LogHub::Loop::turn(Reader& reader) {
    try {
        for (int i = 0; i < pieces_a_turn; ++i) {
            if (!write(reader)) return;
            if (!find_next(reader)) return;
        }
        unfinished_.push_back(reader.id);
    } catch (const std::exception& failure) {
        base::log::warning("a reader of a log was lost", {{"reason", failure.what()}});
        drop(reader);
    }
}

// True once nothing is left of what is being written.
bool LogHub::Loop::write(Reader& reader) {
    while (reader.current) {
        const auto n =
            reader.connection->try_write(std::string_view(reader.current->bytes).substr(reader.at));
        if (!n) return drop(reader), false;
        if (*n == 0) return arm(reader, true), false;
        reader.moved = Clock::now();
        reader.at += *n;
        if (reader.at < reader.current->bytes.size()) continue;
        reader.current.reset();
        reader.at = 0;
    }
    return true;
}

// False: there is nothing to write now, or the reader is gone.
bool LogHub::Loop::find_next(Reader& reader) {
    if (!reader.reply.empty()) {
        say(reader, std::exchange(reader.reply, {}));
        return true;
    }
    if (reader.stage == Stage::done) {
        reader.connection->shut_down(); // its end of the connection comes next, or the sweep
        reader.stage = Stage::closing;
    }
    if (reader.stage == Stage::closing) return arm(reader, false), false;
    if (reader.stage == Stage::last) {
        reader.stage = Stage::done;
        reader.current = last_for(reader);
        if (reader.current->bytes.empty()) reader.current.reset();
        return true;
    }
    bool over = false;
    reader.current = piece_for(reader, over);
    if (reader.current) {
        reader.offset = reader.current->next;
        return true;
    }
    if (over) {
        reader.stage = Stage::last;
        return true;
    }
    arm(reader, false);
    return false;
}

std::shared_ptr<const Rendered> LogHub::Loop::piece_for(Reader& reader, bool& over) {
    auto& cached = reader.rendered->piece;
    if (cached && cached->from == reader.offset) return cached;
    const auto piece = reader.source->read(reader.offset);
    over = piece.over && piece.text.empty();
    if (piece.text.empty()) return nullptr;
    auto made = std::make_shared<Rendered>();
    made->from = reader.offset;
    made->next = piece.next;
    made->bytes = frame(reader.framing, reader.format.render(piece));
    return cached = std::move(made);
}

std::shared_ptr<const Rendered> LogHub::Loop::last_for(Reader& reader) {
    auto& cached = reader.rendered->last;
    if (cached) return cached;
    auto made = std::make_shared<Rendered>();
    const auto text = reader.format.last ? reader.format.last() : std::string();
    if (!text.empty()) made->bytes = frame(reader.framing, text);
    made->bytes += end_of(reader.framing);
    return cached = std::move(made);
}

void LogHub::Loop::say(Reader& reader, std::string bytes) {
    auto made = std::make_shared<Rendered>();
    made->bytes = std::move(bytes);
    reader.current = std::move(made);
    reader.at = 0;
}

void LogHub::Loop::arm(Reader& reader, bool armed) {
    if (std::exchange(reader.armed, armed) == armed) return;
    watch(reader.connection->fd(), reader.id, EPOLLIN | EPOLLRDHUP | (armed ? EPOLLOUT : 0u),
          EPOLL_CTL_MOD);
}

void LogHub::Loop::sweep() {
    swept_ = Clock::now();
    std::vector<std::uint64_t> ids;
    for (const auto& [id, reader] : readers_)
        if (swept_ - reader->moved >= hub_.settings_.heartbeat) ids.push_back(id);
    for (const auto id : ids) {
        auto& reader = *readers_.at(id);
        if (reader.stage == Stage::closing) {
            drop(reader);
            continue;
        }
        if (reader.current) {
            if (swept_ - reader.moved >= hub_.settings_.patience) drop(reader);
            continue;
        }
        if (reader.framing == LogFraming::websocket)
            say(reader, http::render_frame(http::WebSocketOpcode::ping, {}));
        else if (!reader.format.heartbeat.empty())
            say(reader, frame(reader.framing, reader.format.heartbeat));
        turn(reader);
    }
}

void LogHub::Loop::drop(Reader& reader) {
    auto& source = *reader.source;
    std::erase(source.readers, &reader);
    readers_.erase(reader.id); // closes the connection, which leaves the epoll
    if (source.readers.empty()) sources_.erase(source.id);
    hub_.readers_ = readers_.size();
}

LogHub::LogHub(Settings settings)
    : settings_(settings), wake_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
    if (!wake_) base::throw_errno("could not make an eventfd");
    thread_.start([this](const base::Stop& stop) { Loop(*this, stop).run(); });
}

LogHub::~LogHub() = default;

void LogHub::add(LogReader reader) {
    if (!reader.connection) return;
    added_.lock()->push_back(std::move(reader));
    const std::uint64_t one = 1;
    [[maybe_unused]] const auto written = ::write(wake_.get(), &one, sizeof one);
}

} // namespace server
