#!/usr/bin/env bash
# The server is killed in the middle of a build, and asked to end in the middle of one.
. "$(dirname "$0")/lib.sh"

start_server
use_tiny_stack
script_app hello <<<'echo fine'
push hello >/dev/null 2>&1

script_app victim <<'BUILD'
echo "in the middle"
sleep 654 &
sleep 654
BUILD
says() { grep -q -- "$2" "$work/$1.push" 2>/dev/null; }
no_sleeper() { ! pgrep -f 'sleep 654' >/dev/null; }

check 'SIGKILL of the server ends the build, its processes and its mounts' '
    PUSH_TIMEOUT=120 push victim >/dev/null 2>&1 & pusher=$!
    wait_until 60 "the build runs" says victim "in the middle"
    kill -KILL "$server_pid"
    ! wait "$pusher" || fail "the push was accepted"
    wait_until 20 "the sandbox is dead" no_sleeper
    wait_until 20 "nothing is mounted or running" nothing_is_left
'
wait "$server_pid" 2>/dev/null || true
server_pid=
start_server

check 'after the restart no build is shown as running' '
    slipway --json builds list | jq -e "[.builds[].state] | index(\"running\") == null and index(\"queued\") == null"
    slipway --json builds list --app victim | jq -e ".builds[0].state == \"lost\""
    slipway --json builds list --app hello | jq -e ".builds[0].state == \"published\""
'
check 'the repository is as it was' '
    same "$(remote_head victim)" ""
    same "$(remote_head hello)" "$(git -C "$work/hello" rev-parse main)"
'
check 'nothing of the killed build is left on disk' '
    build=$(last_build victim .build)
    [ -z "$(find "$state/builds" -mindepth 1 2>/dev/null | head -n 5)" ]
    [ -z "$(find "$state" -name "tmp_objdir-*" | head -n 5)" ]
    [ -z "$(find /sys/fs/cgroup -type d -name "*$build*" 2>/dev/null | head -n 5)" ]
'
check 'the next push works' '
    echo "echo survived" >"$work/victim/build.sh"
    commit victim mended
    push victim
    expect "sha256:[0-9a-f]{64}" "$work/victim.push"
'
check 'images of before the crash can still be pulled' '
    skopeo inspect --tls-verify=false "docker://$(slipway --json apps info hello | jq -r .image)" | jq -e .Digest
'
check 'a second server on the same state says that there is one' '
    ! "$bin/slipwayd" --config "$work/slipway.toml" >"$work/second.log" 2>&1 || fail "it started"
    expect "another|already|in use" "$work/second.log"
'
check 'SIGTERM lets a running build finish' '
    printf "echo draining\nhold victim\necho drained\n" >"$work/victim/build.sh"
    commit victim drain
    PUSH_TIMEOUT=120 push victim >/dev/null 2>&1 & pusher=$!
    wait_until 60 "the build runs" says victim "draining"
    kill -TERM "$server_pid"
    let_go victim
    wait "$pusher"
    expect "sha256:[0-9a-f]{64}" "$work/victim.push"
    wait_until 30 "the server has ended" has_ended "$server_pid"
'
wait "$server_pid" 2>/dev/null || true
server_pid=
start_server
check 'and its result is there after the next start' '
    same "$(last_build victim .state)" published
    same "$(remote_head victim)" "$(git -C "$work/victim" rev-parse main)"
'

finish
