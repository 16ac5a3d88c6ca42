#!/usr/bin/env bash
# A build belongs to the server, not to the connection: clients that go, clients that come back,
# and several at once.
. "$(dirname "$0")/lib.sh"

configure 'build.workers = 2'
start_server
use_tiny_stack

no_sleeper() { ! pgrep -f 'sleep 987' >/dev/null; }
says() { grep -q -- "$2" "$work/$1.push" 2>/dev/null; }
# Pushes in the background until the developer has read WORDS, then takes the client away.
push_and_vanish() { # NAME WORDS
    local name=$1 words=$2 pusher
    : >"$work/$name.push"
    GIT_SSH_COMMAND=$(ssh_command dev) setsid git -C "$work/$name" push slipway main \
        >"$work/$name.push" 2>&1 &
    pusher=$!
    wait_until 60 "the pusher reads: $words" says "$name" "$words"
    kill -KILL -- "-$pusher"
    wait "$pusher" 2>/dev/null || true
}

script_app long <<'BUILD'
echo "now it begins"
hold long
echo "now it ends"
BUILD

check 'a build goes on when its client has gone, and can be followed to its end' '
    push_and_vanish long "now it begins"
    build=$(last_build long .build)
    same "$(last_build long .state)" running
    timeout 60 "$bin/slipway" --state "$state" builds log --follow "$build" >"$work/followed" &
    follower=$!
    wait_until 20 "the follower reads" grep -q "now it begins" "$work/followed"
    let_go long
    wait "$follower"
    expect "now it begins" "$work/followed"
    expect "now it ends" "$work/followed"
    expect "sha256:[0-9a-f]{64}" "$work/followed"
    same "$(last_build long .state)" published
'
check 'its result counts: the branch has moved, the app has the image, pushing again is at once' '
    same "$(slipway --json apps info long | jq -r .digest)" "$(last_build long .digest)"
    same "$(remote_head long)" "$(git -C "$work/long" rev-parse main)"
    start=$SECONDS
    push long
    [ $((SECONDS - start)) -lt 5 ]
'
check 'keep-alives come while a build says nothing' '
    script_app quiet <<<"hold quiet"
    : >"$work/packets"
    GIT_TRACE_PACKET=$work/packets push quiet &
    pusher=$!
    two_came() { [ "$(grep -cE "sideband< .1$" "$work/packets")" -ge 2 ]; }
    wait_until 60 "two keep-alives have come" two_came
    is_held quiet
    let_go quiet
    wait "$pusher"
'
check 'a build can be cancelled from another terminal, with all it started' '
    script_app stuck <<"BUILD"
echo "sleeping for long"
sleep 987 &
sleep 987
BUILD
    PUSH_TIMEOUT=60 push stuck >/dev/null 2>&1 &
    pusher=$!
    wait_until 60 "the build runs" says stuck "sleeping for long"
    slipway builds cancel "$(last_build stuck .build)"
    ! wait "$pusher" || fail "the push was accepted"
    expect "cancel" "$work/stuck.push"
    same "$(last_build stuck .state)" cancelled
    wait_until 10 "its processes are gone" no_sleeper
    same "$(remote_head stuck)" ""
'

check 'two apps are built side by side' '
    script_app left <<<"hold left"
    script_app right <<<"hold right"
    push left >/dev/null 2>&1 & one=$!
    push right >/dev/null 2>&1 & two=$!
    both_are_held() { is_held left && is_held right; }
    wait_until 60 "both run" both_are_held
    let_go left
    let_go right
    wait "$one"
    wait "$two"
    expect "sha256:[0-9a-f]{64}" "$work/left.push"
    expect "sha256:[0-9a-f]{64}" "$work/right.push"
'
check 'two pushes to one app: one wins, the other is told, the state is whole' '
    script_app race <<<"hold race"
    cp -a "$work/race" "$work/race2"
    echo "echo racing" >"$work/race2/build.sh"
    commit race one
    commit race2 two
    one=0 two=0
    push race >/dev/null 2>&1 & first=$!
    wait_until 60 "the first one runs" is_held race
    push race2 >/dev/null 2>&1 & second=$!
    wait_until 60 "the second one waits" says race2 "before this one"
    let_go race
    wait "$first" || one=$?
    wait "$second" || two=$?
    cat "$work/race.push" "$work/race2.push"
    echo "statuses: $one and $two"
    [ "$one" -eq 0 ] || [ "$two" -eq 0 ]
    head=$(remote_head race)
    if [ "$one" -eq 0 ] && [ "$two" -ne 0 ]; then same "$head" "$(git -C "$work/race" rev-parse main)"; fi
    if [ "$two" -eq 0 ] && [ "$one" -ne 0 ]; then same "$head" "$(git -C "$work/race2" rev-parse main)"; fi
    slipway --json builds list --app race | jq -e "[.builds[].state] | index(\"running\") == null"
'
check 'ten pushes at once all get an answer' '
    for i in $(seq 10); do script_app "many$i" <<<"echo number $i" >/dev/null; done
    for i in $(seq 10); do PUSH_TIMEOUT=200 push "many$i" >/dev/null 2>&1 & done
    wait
    for i in $(seq 10); do expect "sha256:[0-9a-f]{64}" "$work/many$i.push"; done
'

finish
