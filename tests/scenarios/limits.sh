#!/usr/bin/env bash
# Builds that want too much: time, silence, memory, processes. Each ends with the reason on the
# developer's screen, and the next push finds a healthy server.
. "$(dirname "$0")/lib.sh"

configure 'sandbox.time = "25s"'
configure 'sandbox.silence = "10s"'
configure 'sandbox.memory = "256M"'
configure 'sandbox.pids = 64'
start_server
use_tiny_stack
script_app hello <<<'echo fine'

next_push_works() {
    commit hello again
    push hello
    expect "sha256:[0-9a-f]{64}" "$work/hello.push"
}

check 'a build that hangs in silence is ended and says so' '
    script_app silent <<"BUILD"
trap "" TERM HUP INT
setsid sleep 1000 &
sleep 1000
BUILD
    start=$SECONDS
    refused_push silent
    [ $((SECONDS - start)) -lt 22 ]
    expect "^remote:  !     .*(silen|said nothing)" "$work/silent.push"
    next_push_works
'
check 'a build that runs for too long is ended and says so' '
    script_app slow <<"BUILD"
while :; do echo still working; sleep 1; done
BUILD
    start=$SECONDS
    refused_push slow
    [ $((SECONDS - start)) -lt 45 ]
    expect "^remote:  !     .*(time|25 s|long)" "$work/slow.push"
    next_push_works
'
check 'a build that allocates past its memory is ended and says so' '
    script_app hog <<"BUILD"
echo growing
x=0123456789abcdef
while :; do x=$x$x; done
BUILD
    refused_push hog
    expect "^remote:  !     .*memory" "$work/hog.push"
    next_push_works
'
check 'a fork bomb ends with its build' '
    script_app bomb <<"BUILD"
echo ticking
bomb() { bomb | bomb & }
bomb
while :; do (:); done # until it cannot start a process itself
BUILD
    PUSH_TIMEOUT=90 refused_push bomb
    expect "^remote:  !     " "$work/bomb.push"
    [ "$(pgrep -c -f "^sh .*build.sh" || true)" -le 0 ]
    next_push_works
'
check 'a full temporary directory fails the build, not the server' '
    script_app filler <<"BUILD"
dd if=/dev/zero of=/tmp/big bs=1M count=6000
BUILD
    refused_push filler
    next_push_works
'
check 'nothing of the ended builds still runs' '
    pids=$(pgrep -f "sleep 1000" || true)
    for pid in $pids; do
        ! grep -q "slipway" "/proc/$pid/cgroup" || fail "process $pid still runs"
    done
'

finish
