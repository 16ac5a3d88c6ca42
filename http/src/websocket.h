// The opening handshake of RFC 6455. Values only. Private to the server.
#pragma once

#include "http/server.h"

#include <string>

namespace http {

bool asks_for_websocket(const RequestHead& head);

// The Sec-WebSocket-Accept of the answer. Throws BadRequest: 426 for another version, 400 for a key
// that is none.
std::string websocket_accept_key(const RequestHead& head);

} // namespace http
