#include "frames.h"

#include "base/error.h"
#include "launcher/init_protocol.h"

#include <algorithm>

namespace engine {
namespace {

void append_u32(std::string& bytes, std::uint32_t value) {
    for (int shift = 0; shift < 32; shift += 8) bytes += static_cast<char>(value >> shift & 0xff);
}

std::uint32_t read_u32(std::string_view bytes) {
    std::uint32_t value = 0;
    for (int i = 3; i >= 0; --i) value = value << 8 | static_cast<unsigned char>(bytes[i]);
    return value;
}

void append_string(std::string& bytes, const std::string& text) {
    if (text.find('\0') != std::string::npos)
        throw base::Error(base::ErrorKind::invalid_input,
                          "a command's words and environment cannot hold a NUL byte");
    bytes += text;
    bytes += '\0';
}

void append_list(std::string& bytes, const std::vector<std::string>& list) {
    append_string(bytes, std::to_string(list.size()));
    for (const auto& text : list) append_string(bytes, text);
}

[[noreturn]] void refuse(const char* what) {
    throw base::Error(base::ErrorKind::internal, std::string("the sandbox sent ") + what);
}

base::ExitStatus status_from(std::uint32_t word) {
    const auto value = static_cast<std::int32_t>(word);
    if (value >= 0) return {.code = value & 0xff, .signal = 0};
    if (value < -64) refuse("a signal that does not exist");
    return {.code = 0, .signal = -value};
}

} // namespace

std::string render_request(std::uint32_t id, const Invocation& invocation) {
    if (invocation.argv.empty())
        throw base::Error(base::ErrorKind::invalid_input, "a command without a program");
    std::string payload;
    append_u32(payload, id);
    payload += static_cast<char>(invocation.alone ? launcher::flag_kill_others : 0);
    append_string(payload, invocation.working_directory);
    append_list(payload, invocation.environment);
    append_list(payload, invocation.argv);
    if (payload.size() > launcher::request_limit)
        throw base::Error(base::ErrorKind::limit_exceeded,
                          "the command line and environment of " + invocation.argv.front() +
                              " are longer than 1 MiB",
                          "make config variables smaller or put them into files");
    std::string request;
    append_u32(request, static_cast<std::uint32_t>(payload.size()));
    return request + payload;
}

void FrameReader::start_frame() {
    type_ = pending_[0];
    id_ = read_u32(std::string_view(pending_).substr(1));
    left_ = read_u32(std::string_view(pending_).substr(5));
    pending_.clear();
    const bool output = type_ == launcher::frame_stdout || type_ == launcher::frame_stderr;
    if (!output && type_ != launcher::frame_exit) refuse("a frame of an unknown type");
    if (left_ > launcher::output_limit) refuse("a frame that is too long");
    if (!output && left_ != launcher::exit_payload_size) refuse("an exit status of a wrong size");
    in_payload_ = left_ > 0;
}

void FrameReader::finish_exit() {
    const auto status = status_from(read_u32(pending_));
    pending_.clear();
    sink_.exit(id_, status);
}

void FrameReader::feed(std::string_view bytes) {
    while (!bytes.empty()) {
        const std::size_t wanted =
            in_payload_ ? left_ : launcher::frame_header_size - pending_.size();
        const auto piece = bytes.substr(0, std::min(wanted, bytes.size()));
        bytes.remove_prefix(piece.size());
        if (!in_payload_) {
            pending_ += piece;
            if (pending_.size() == launcher::frame_header_size) start_frame();
            continue;
        }
        left_ -= static_cast<std::uint32_t>(piece.size());
        in_payload_ = left_ > 0;
        if (type_ == launcher::frame_exit) {
            pending_ += piece;
            if (!in_payload_) finish_exit();
        } else {
            sink_.output(id_, piece);
        }
    }
}

} // namespace engine
