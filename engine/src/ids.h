// The 65536 ids outside that a build's users are. Any thread.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <sys/types.h>

namespace engine {

inline constexpr unsigned id_count = 65536;

// The first range of at least `least` ids that a file in the format of subuid(5) gives to `user`
// (a name or a number).
std::optional<unsigned> find_subordinate_ids(std::string_view file, std::string_view user,
                                             uid_t uid, unsigned least);

// The first outside id for us: `configured`, or what /etc/subuid and /etc/subgid agree on. Throws
// Error{denied} with the line to add.
unsigned choose_first_id(unsigned configured);

// Writes the maps of `pid`, which waits in its new user namespace.
void write_id_maps(pid_t pid, unsigned first_id);

} // namespace engine
