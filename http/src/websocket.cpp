#include "websocket.h"

#include "stream.h"

#include "base/crypto.h"

#include <algorithm>
#include <openssl/sha.h>

namespace http {
namespace {

[[noreturn]] void refuse(const char* why) {
    throw base::Error(base::ErrorKind::invalid_input,
                      std::string("that is no websocket frame of a client: ") + why);
}

bool equal_ignoring_case(std::string_view a, std::string_view b) {
    return std::equal(a.begin(), a.end(), b.begin(), b.end(), [](char x, char y) {
        return (x >= 'A' && x <= 'Z' ? x + 32 : x) == (y >= 'A' && y <= 'Z' ? y + 32 : y);
    });
}

// A header that is a comma-separated list has `token`.
bool lists(const RequestHead& head, const char* name, std::string_view token) {
    const auto [first, last] = head.headers.equal_range(name);
    return std::any_of(first, last, [&](const auto& header) {
        for (std::string_view rest = header.second; !rest.empty();) {
            auto item = rest.substr(0, rest.find(','));
            rest.remove_prefix(std::min(rest.size(), item.size() + 1));
            while (item.starts_with(' ') || item.starts_with('\t')) item.remove_prefix(1);
            while (item.ends_with(' ') || item.ends_with('\t')) item.remove_suffix(1);
            if (equal_ignoring_case(item, token)) return true;
        }
        return false;
    });
}

constexpr unsigned continuation = 0;
constexpr unsigned control_bit = 8;

// A frame's place in the bytes that came.
struct Frame {
    bool last = false;
    unsigned opcode = 0;
    std::size_t begin = 0; // of the frame
    std::size_t payload = 0;
    std::size_t size = 0; // of the payload
    std::size_t end() const { return payload + size; }
};

std::optional<Frame> find_frame(std::string_view bytes, std::size_t begin, std::size_t longest) {
    const auto at = [&](std::size_t i) { return static_cast<unsigned char>(bytes[begin + i]); };
    const auto there = bytes.size() - begin;
    if (there < 2) return std::nullopt;
    Frame frame{.last = (at(0) & 0x80) != 0, .opcode = at(0) & 0x0fu, .begin = begin};
    if (at(0) & 0x70) refuse("no extension was agreed on");
    if (!(at(1) & 0x80)) refuse("it is not masked");
    if (frame.opcode > 10 || (frame.opcode > 2 && frame.opcode < 8)) refuse("an unknown opcode");
    std::uint64_t size = at(1) & 0x7fu;
    const std::size_t length_bytes = size == 126 ? 2 : size == 127 ? 8 : 0;
    if ((frame.opcode & control_bit) && (!frame.last || length_bytes != 0))
        refuse("a control frame is short and whole");
    if (there < 2 + length_bytes) return std::nullopt;
    if (length_bytes != 0) {
        size = 0;
        for (std::size_t i = 0; i < length_bytes; ++i) size = size << 8 | at(2 + i);
        if (size < (length_bytes == 2 ? 126u : 65536u) || (size >> 63) != 0)
            refuse("a length is written as shortly as it can be");
    }
    if (size > longest)
        throw base::Error(base::ErrorKind::limit_exceeded, "a websocket message is too long");
    frame.payload = begin + 2 + length_bytes + 4;
    frame.size = static_cast<std::size_t>(size);
    if (bytes.size() < frame.end()) return std::nullopt;
    return frame;
}

std::string unmask(std::string_view bytes, const Frame& frame) {
    std::string payload(bytes.substr(frame.payload, frame.size));
    const auto mask = bytes.substr(frame.payload - 4, 4);
    for (std::size_t i = 0; i < payload.size(); ++i)
        payload[i] = static_cast<char>(payload[i] ^ mask[i % 4]);
    return payload;
}

} // namespace

bool asks_for_websocket(const RequestHead& head) {
    return head.method == "GET" && lists(head, "upgrade", "websocket") &&
           lists(head, "connection", "upgrade");
}

std::string websocket_accept_key(const RequestHead& head) {
    if (head.header("sec-websocket-version") != "13")
        throw BadRequest(426, base::ErrorKind::invalid_input,
                         "only version 13 of websockets is spoken here");
    const auto key = head.header("sec-websocket-key").value_or("");
    std::string nonce;
    try {
        nonce = base::base64_decode(key);
    } catch (const base::Error&) {
        // of no length, below
    }
    if (nonce.size() != 16)
        throw BadRequest(400, base::ErrorKind::invalid_input,
                         "the Sec-WebSocket-Key is not 16 bytes in base64");
    const auto text = key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"; // RFC 6455 section 1.3
    unsigned char hash[SHA_DIGEST_LENGTH];
    SHA1(reinterpret_cast<const unsigned char*>(text.data()), text.size(), hash);
    return base::base64_encode({reinterpret_cast<const char*>(hash), sizeof hash});
}

std::string render_frame(WebSocketOpcode opcode, std::string_view payload) {
    std::string frame;
    frame.reserve(payload.size() + 10);
    frame += static_cast<char>(0x80 | static_cast<int>(opcode));
    if (payload.size() < 126) {
        frame += static_cast<char>(payload.size());
    } else {
        const bool wide = payload.size() > 0xffff;
        frame += static_cast<char>(wide ? 127 : 126);
        for (int shift = wide ? 56 : 8; shift >= 0; shift -= 8)
            frame += static_cast<char>(static_cast<std::uint64_t>(payload.size()) >> shift & 0xff);
    }
    return frame.append(payload);
}

std::optional<WebSocketFrame> take_frame(std::string& bytes, std::size_t longest) {
    std::string message;
    unsigned opcode = continuation;
    for (std::size_t at = 0;;) {
        const auto frame = find_frame(bytes, at, longest);
        if (!frame) break;
        if (frame->opcode & control_bit) { // may come between the fragments of a message
            WebSocketFrame found{static_cast<WebSocketOpcode>(frame->opcode),
                                 unmask(bytes, *frame)};
            bytes.erase(frame->begin, frame->end() - frame->begin);
            return found;
        }
        if ((frame->opcode == continuation) != (opcode != continuation))
            refuse("a fragment is out of order");
        if (opcode == continuation) opcode = frame->opcode;
        message += unmask(bytes, *frame);
        if (message.size() > longest) break;
        at = frame->end();
        if (!frame->last) continue;
        bytes.erase(0, at);
        return WebSocketFrame{static_cast<WebSocketOpcode>(opcode), std::move(message)};
    }
    // Fragments of nothing would gather without end.
    if (message.size() > longest || bytes.size() > 2 * longest + 1024)
        throw base::Error(base::ErrorKind::limit_exceeded, "a websocket message is too long");
    return std::nullopt;
}

} // namespace http
