// libssh's handles, owned. The only place of the program that frees them.
#pragma once

#include <libssh/callbacks.h>
#include <libssh/libssh.h>
#include <libssh/server.h>

#include <memory>

namespace receiver {

struct FreeLibssh {
    void operator()(ssh_session session) const noexcept { ssh_free(session); }
    void operator()(ssh_bind bind) const noexcept { ssh_bind_free(bind); }
    void operator()(ssh_event event) const noexcept { ssh_event_free(event); }
    void operator()(ssh_key key) const noexcept { ssh_key_free(key); }
};

template <class Handle>
using Owned = std::unique_ptr<std::remove_pointer_t<Handle>, FreeLibssh>;

} // namespace receiver
