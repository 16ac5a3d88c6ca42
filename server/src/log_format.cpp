#include "log_hub.h"

#include <algorithm>
#include <string_view>

namespace server {

LogFormat text_log_format() {
    return {.name = "text", .render = [](const LogPiece& piece) { return piece.text; }};
}

LogFormat event_log_format(std::function<std::string()> build) {
    LogFormat format{.name = "events", .render = {}, .last = {}, .heartbeat = ": keep-alive\n\n"};
    format.render = [](const LogPiece& piece) {
        std::string event = "id: " + std::to_string(piece.next) + "\nevent: log\n";
        for (std::string_view text = piece.text; !text.empty();) {
            const auto end = std::min(text.find('\n'), text.size());
            event.append("data: ").append(text.substr(0, end)) += '\n';
            text.remove_prefix(std::min(end + 1, text.size()));
        }
        return event + "\n";
    };
    if (build)
        format.last = [build = std::move(build)] {
            return "event: build\ndata: " + build() + "\n\n";
        };
    return format;
}

} // namespace server
