#!/usr/bin/env bash
# tools/quickstart, as a newcomer runs it, but for the packages and the build that are there already.
. "$(dirname "$0")/lib.sh"

[ "$(id -u)" -eq 0 ] || skip_all "tools/quickstart needs root"
quickstart=$SLIPWAY_SOURCE_DIR/tools/quickstart

# The stack that another scenario made, where quickstart keeps what it makes.
key=$(cd "$SLIPWAY_SOURCE_DIR/stacks/debian-12" && find . -type f -print0 | sort -z |
    xargs -0 sha256sum | sha256sum | cut -c 1-16)
mkdir -p "$work/cache/stacks"
cp -a "$shared/debian-12" "$work/cache/stacks/debian-12-$key"
touch "$work/cache/stacks/debian-12-$key"
export SLIPWAY_CACHE=$work/cache

check 'quickstart brings up a server, pushes an app and shows its answer' '
    "$quickstart" --state "$state" >"$work/first" 2>&1 || { cat "$work/first"; exit 1; }
    expect "sha256:[0-9a-f]{64}" "$work/first"
    expect "Hello from Slipway" "$work/first"
    expect "git push" "$work/first"
    expect "quickstart .*--stop" "$work/first"
'
check 'a second run makes nothing anew and gives the same digest' '
    "$quickstart" --state "$state" >"$work/second" 2>&1
    same "$(grep -oE "sha256:[0-9a-f]{64}" "$work/second" | tail -n 1)" \
        "$(grep -oE "sha256:[0-9a-f]{64}" "$work/first" | tail -n 1)"
    expect "the server runs already" "$work/second"
    expect "debian-12 is there" "$work/second"
'
check 'the commands that it prints push an app of one'"'"'s own' '
    new=$(sed -n "s/^ *\\(.*apps create\\) myapp$/\\1/p" "$work/first")
    remote=$(sed -n "s/.*git remote add slipway //p" "$work/first")
    command=$(sed -n "s/^ *GIT_SSH_COMMAND=\"\\(.*\\)\" git push.*/\\1/p" "$work/first")
    $new myapp
    git init -q "$work/myapp"
    cp -a "$fixtures/apps/procfile-hello/." "$work/myapp/"
    commit myapp first
    git -C "$work/myapp" remote add slipway "$remote"
    GIT_SSH_COMMAND="$command -o StrictHostKeyChecking=accept-new -o UserKnownHostsFile=$work/known_hosts" \
        git -C "$work/myapp" push slipway main
'
check '--stop stops it, and nothing is left running' '
    "$quickstart" --state "$state" --stop
    wait_until 10 "nothing is left" nothing_is_left
'
check '--once prints the digest alone, the same one, and leaves nothing running' '
    "$quickstart" --state "$work/once" --once "$fixtures/apps/node-hello" >"$work/out" 2>"$work/err" ||
        { cat "$work/err"; exit 1; }
    same "$(cat "$work/out")" "$(grep -oE "sha256:[0-9a-f]{64}" "$work/first" | tail -n 1)"
    state=$work/once
    wait_until 10 "nothing is left" nothing_is_left
'
check 'two of them run side by side' '
    "$quickstart" --state "$work/a" --once "$fixtures/apps/static-hello" >"$work/a.out" 2>"$work/a.err" & one=$!
    "$quickstart" --state "$work/b" --once "$fixtures/apps/static-hello" >"$work/b.out" 2>"$work/b.err" & two=$!
    wait "$one" || { cat "$work/a.err"; exit 1; }
    wait "$two" || { cat "$work/b.err"; exit 1; }
    expect "^sha256:[0-9a-f]{64}$" "$work/a.out"
    same "$(cat "$work/a.out")" "$(cat "$work/b.out")"
'
check '--once with an app that cannot be built fails and says why' '
    ! "$quickstart" --state "$work/once" --once "$fixtures/apps/none" >"$work/out" 2>"$work/err" ||
        fail "it did not fail"
    [ ! -s "$work/out" ]
    expect "slipway/nodejs" "$work/err"
    expect "^ !     " "$work/err"
    state=$work/once
    wait_until 10 "nothing is left" nothing_is_left
'

echo "$scenario: $((checks - failures)) of $checks checks passed"
[ "$failures" -eq 0 ]
