// What Scalingo's clients follow an app by: a websocket of JSON events (docs/api.md). The thread
// that answers the request runs it until the reader leaves.
#pragma once

#include "api.h"

namespace server::api {

void answer_deployment_stream(Api& api, Call& call);

} // namespace server::api
