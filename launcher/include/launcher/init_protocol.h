// What the engine and `slipway-init`, process 1 of a build sandbox, say to each other. The single
// definition: the engine writes requests to init's descriptor 0 and reads frames from its
// descriptor 1, so that one container start serves every detection and build of a group. Plain
// constants, no state, no dependency; any thread may use them.
//
// All integers are little-endian.
//
// Request:  u32 length of the payload, at most request_limit, then the payload:
//             u32 id      chosen by the engine, not one that is still running
//             u8  flags   flag_* below, all other bits zero
//             then NUL-terminated strings, nothing after the last:
//               working directory
//               decimal number of environment entries, then that many "NAME=value"
//               decimal number of arguments (at least 1), then that many
//           argv[0] is looked up in the PATH of that environment unless it has a slash.
//
// Frame:    u8 type, u32 id of the request, u32 length, then `length` bytes:
//             frame_stdout  bytes the command wrote to descriptor 1, at most output_limit
//             frame_stderr  the same for descriptor 2
//             frame_exit    i32 status: exit code >= 0, or minus the number of the signal
//
// A command gets /dev/null, the two pipes and nothing else, in a session of its own. It has ended
// when its own process has: what it left in the background has linger_ms to finish writing, at
// most linger_limit bytes to each pipe, then its process group is killed. Its frame_exit is the
// last frame with that id. Several requests run at the same time; init leaves requests above
// command_limit waiting until one has ended, and stops reading the commands' pipes while the engine
// does not read its frames.
//
// What cannot be started ends with a frame_stderr that tells the reason and status_not_found or
// status_not_executable. A request that breaks this protocol ends init with exit code 2.
//
// Closing descriptor 0 ends the sandbox: SIGTERM to all, SIGKILL after stop_ms, exit code 0.
//
// The engine must not trust frames beyond their form: output is the word of a hostile build.
#pragma once

#include <cstddef>
#include <cstdint>

namespace launcher {

inline constexpr std::size_t request_length_size = 4;
inline constexpr std::size_t request_limit = 1024 * 1024;

// Kill every other process of the sandbox when this command has ended, whatever session it is in,
// and send frame_exit only when they are gone. For builds, which run one after another; it ends
// all other commands too. Without it only the command's own process group is killed.
inline constexpr std::uint8_t flag_kill_others = 1;

inline constexpr char frame_stdout = 'o';
inline constexpr char frame_stderr = 'e';
inline constexpr char frame_exit = 'x';
inline constexpr std::size_t frame_header_size = 9;
inline constexpr std::size_t exit_payload_size = 4;
inline constexpr std::size_t output_limit = 32 * 1024;

inline constexpr int status_not_executable = 126;
inline constexpr int status_not_found = 127;

inline constexpr std::size_t command_limit = 64;
inline constexpr int linger_ms = 250;
inline constexpr std::size_t linger_limit = 2 * 1024 * 1024;
inline constexpr int stop_ms = 2000;

} // namespace launcher
