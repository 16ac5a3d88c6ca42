#!/usr/bin/env bash
# Builds that wait: what their pushers read, whose turn it is, and how a build is ended.
. "$(dirname "$0")/lib.sh"

configure 'build.workers = 1'
start_server
use_tiny_stack

says() { grep -q -- "$2" "$work/$1.push" 2>/dev/null; }
# A push in the background, its output in $work/NAME.push, its status in $work/NAME.status.
push_beside() {
    : >"$work/$1.push"
    {
        PUSH_TIMEOUT=120 push "$1" >/dev/null 2>&1 && echo 0 >"$work/$1.status" ||
            echo "$?" >"$work/$1.status"
    } &
}

script_app first <<<'echo fine'
push first >/dev/null 2>&1
script_app slow <<'BUILD'
echo "slow begins"
hold slow
BUILD

check 'who waits reads how many builds are before, and how long that takes' '
    push_beside slow
    wait_until 60 "the slow build runs" says slow "slow begins"
    commit first again
    push_beside first
    wait_until 20 "the second pusher reads it" says first "1 build before this one; about"
    let_go slow
    wait
    same "$(cat "$work/slow.status")" 0
    same "$(cat "$work/first.status")" 0
    same "$(grep -c "before this one" "$work/first.push")" 1
'
check 'the newest push takes the turn of the one that waits, whose pusher reads which build it was' '
    commit slow "to be built"
    push_beside slow
    wait_until 60 "the slow build runs" says slow "slow begins"
    cp -a "$work/first" "$work/newer"
    commit first older
    commit newer "the newest"
    push_beside first
    wait_until 20 "the older one waits" says first "before this one"
    push_beside newer
    wait_until 20 "its turn is taken" says first "superseded"
    let_go slow
    wait
    same "$(cat "$work/newer.status")" 0
    must_fail same "$(cat "$work/first.status")" 0
    expect "superseded: a newer push of main took its turn: build b" "$work/first.push"
    expect "remote rejected" "$work/first.push"
    same "$(remote_head first)" "$(git -C "$work/newer" rev-parse main)"
    slipway --json builds list --app first | jq -e "[.builds[:2][].state] == [\"published\", \"superseded\"]"
'

# Ignores SIGTERM, starts others in sessions of their own, and so do they.
script_app stubborn <<'BUILD'
trap '' TERM INT HUP
echo "holding on"
for i in 1 2 3; do
    setsid sh -c 'trap "" TERM; (trap "" TERM; sleep 876) & sleep 876' &
done
while :; do sleep 876; done
BUILD
no_sleeper() { ! pgrep -f 'sleep 876' >/dev/null; }
check 'a cancel ends a build that ignores SIGTERM and forks away, whole, within five seconds' '
    push_beside stubborn
    wait_until 60 "the build runs" says stubborn "holding on"
    wait_until 20 "its children run" pgrep -f "sleep 876"
    start=$(date +%s%N)
    slipway builds cancel "$(last_build stubborn .build)"
    wait_until 20 "every process is gone" no_sleeper
    wait_until 20 "the row says so" build_is stubborn cancelled
    took=$((($(date +%s%N) - start) / 1000000))
    echo "it took $took ms"
    [ "$took" -lt 5000 ]
    wait
    must_fail same "$(cat "$work/stubborn.status")" 0
'
check 'a waiting build is cancelled at once and never begins' '
    commit slow "to be built"
    push_beside slow
    wait_until 60 "the slow build runs" says slow "slow begins"
    commit newer "to be cancelled"
    push_beside newer
    wait_until 20 "it waits" says newer "before this one"
    slipway builds cancel "$(last_build first .build)"
    wait_until 5 "the row says so" build_is first cancelled
    let_go slow
    wait
    must_fail same "$(cat "$work/newer.status")" 0
    same "$(last_build first .started_at)" null
'
check 'SIGTERM: the running build ends, the pusher of the waiting one is told to push again' '
    commit slow "to be built"
    push_beside slow
    wait_until 60 "the slow build runs" says slow "slow begins"
    commit newer "told to push again"
    push_beside newer
    wait_until 20 "it waits" says newer "before this one"
    kill -TERM "$server_pid"
    wait_until 20 "the waiting one is told" says newer "Push again"
    let_go slow
    wait_until 30 "the server has ended" has_ended "$server_pid"
    wait
    same "$(cat "$work/slow.status")" 0
    must_fail same "$(cat "$work/newer.status")" 0
    expect "the server stopped before this build began" "$work/newer.push"
    expect "Push again" "$work/newer.push"
'
wait "$server_pid" 2>/dev/null || true
start_server
check 'and pushing again builds it' '
    push newer
    expect "sha256:[0-9a-f]{64}" "$work/newer.push"
'

finish
