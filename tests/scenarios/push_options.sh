#!/usr/bin/env bash
# git push -o ..., detached pushes, and the commands of the SSH door.
. "$(dirname "$0")/lib.sh"

start_server
use_tiny_stack
push_with() { # NAME OPTION...
    local name=$1 options=()
    shift
    for option in "$@"; do options+=(-o "$option"); done
    git -C "$work/$name" -c "core.sshCommand=$(ssh_command "${PUSH_AS:-dev}")" push "${options[@]}" \
        slipway main >"$work/$name.push" 2>&1
}
new_commit() { # NAME
    git -C "$work/$1" commit -q --allow-empty -m another
}
# Checks run in subshells: a server that one of them started is known by its file.
find_server() { server_pid=$(jq -r .pid "$state/run/server.json"); }
detached_build() { grep -oE 'Detached: build b[a-z0-9]{12}' "$work/$1.push" | grep -oE 'b[a-z0-9]{12}$'; }

script_app shop <<'BUILD'
echo "COLOUR is ${COLOUR:-unset}, GIVEN is ${GIVEN:-unset}"
[ -z "${SLOW:-}" ] || sleep "$SLOW"
[ -z "${FAIL:-}" ] || exit 3
BUILD

check 'an unknown push option is refused with the list and the name that it resembles' '
    must_fail push_with shop detatch
    expect "no push option .detatch." "$work/shop.push"
    expect "Did you mean: git push -o detach" "$work/shop.push"
    for option in no-cache buildpack=URI env.KEY=value dry-run verbose; do
        expect "-o $option" "$work/shop.push"
    done
    same "$(remote_head shop)" ""
    same "$(slipway --json builds list --app shop | jq ".builds | length")" 0
'
check 'a value of a refused option is not repeated, and a reserved name is refused with the reason' '
    must_fail push_with shop env.1A=do-not-repeat
    refute do-not-repeat "$work/shop.push"
    must_fail push_with shop env.CNB_USER_ID=0
    expect "CNB_USER_ID is set by the platform" "$work/shop.push"
'
check 'what would be a header or a command elsewhere is one value here' '
    push_with shop "env.COLOUR=;x=1 \$(id) \`id\` \"q\"" verbose
    expect "Variables: .*COLOUR" "$work/shop.push"
    refute "uid=" "$work/shop.push"
    same "$(last_build shop .state)" published
'
check 'a variable of one build is that build alone'"'"'s' '
    new_commit shop
    push_with shop env.GIVEN=abc
    expect "GIVEN is abc" "$work/shop.push"
    new_commit shop
    push shop
    expect "GIVEN is unset" "$work/shop.push"
'
check 'verbose tells what each buildpack said' '
    new_commit shop
    push_with shop verbose
    expect "test/never.*: fail" "$work/shop.push"
'
check 'a dry run builds nothing and moves no branch' '
    before=$(remote_head shop)
    new_commit shop
    must_fail push_with shop dry-run
    expect "Nothing was built" "$work/shop.push"
    same "$(remote_head shop)" "$before"
    same "$(last_build shop .state)" detected
    push shop
'
check 'a buildpack of a push option is used instead of every other choice' '
    new_commit shop
    must_fail push_with shop buildpack=test/never
    expect "never" "$work/shop.push"
    must_fail push_with shop buildpack=https://me:word@example.com/x.git
    expect "may not hold a password" "$work/shop.push"
    push shop
'
check 'a detached push is answered before its build ends, and the build publishes alone' '
    new_commit shop
    start=$SECONDS
    push_with shop detach env.SLOW=6
    [ $((SECONDS - start)) -lt 6 ]
    build=$(detached_build shop)
    expect "ssh ssh://git@.* builds follow $build" "$work/shop.push"
    same "$(remote_head shop)" "$(git -C "$work/shop" rev-parse main)"
    wait_until 60 "it is published" build_is shop published
    same "$(last_build shop .build)" "$build"
'
check 'the failure of a detached build refuses no push' '
    new_commit shop
    push_with shop detach env.FAIL=1
    wait_until 60 "it is refused" build_is shop refused
    same "$(remote_head shop)" "$(git -C "$work/shop" rev-parse main)"
'
check 'an acknowledged detached build outlives the server' '
    new_commit shop
    push_with shop detach env.SLOW=5
    build=$(detached_build shop)
    stop_server KILL
    start_server
    wait_until 60 "it is published" build_is shop published
    same "$(last_build shop .build)" "$build"
'
find_server
for point in push_detached push_accepted; do
    check "a server that is killed at $point leaves a build in a true state" '
        stop_server
        SLIPWAY_FAILPOINT='"$point"' start_server
        new_commit shop
        push_with shop detach || true
        wait_until 20 "the server is dead" has_ended "$server_pid"
        start_server
        if [ "$(remote_head shop)" = "$(git -C "$work/shop" rev-parse main)" ]; then
            echo "the branch has moved"
            wait_until 60 "it is published" build_is shop published
        else
            wait_until 30 "it is lost" build_is shop lost
        fi
        push shop
    '
    find_server
done

slipway apps create blog >/dev/null
add_key ann --app blog >/dev/null

check 'ssh lists the apps and builds of the key' '
    ssh_as dev apps >"$work/out"
    expect "^shop .*b[a-z0-9]{12}" "$work/out"
    ssh_as ann apps >"$work/out"
    expect "^blog " "$work/out"
    refute shop "$work/out"
    ssh_as dev builds list shop >"$work/out"
    expect "published .*sha256:" "$work/out"
    ssh_as dev builds info "$(last_build shop .build)" >"$work/out"
    expect "^app +shop" "$work/out"
    ssh_as dev help >"$work/out"
    expect "builds follow BUILD" "$work/out"
'
check 'builds of an app of another key are not there' '
    build=$(last_build shop .build)
    for command in "builds list shop" "builds info $build" "builds follow $build" "builds retry $build" "builds cancel $build"; do
        status=0
        ssh_as ann $command >"$work/out" 2>&1 || status=$?
        same "$status" 4
        expect "there is no (build|app)" "$work/out"
    done
    status=0
    ssh_as ann builds info b000000000000 >"$work/unknown" 2>&1 || status=$?
    same "$status" 4
'
check 'other commands are refused' '
    for command in "ls" "builds list shop; id" "builds list \$(id)" "sh"; do
        must_fail ssh_as dev "$command" >"$work/out" 2>&1
        refute "uid=" "$work/out"
    done
'
check 'any number of readers follow a build, each from its offset, and end as it does' '
    new_commit shop
    push_with shop detach env.SLOW=4
    build=$(detached_build shop)
    ssh_as dev builds follow "$build" >"$work/one" &
    one=$!
    ssh_as dev builds follow "$build" >"$work/two" &
    two=$!
    wait "$one"
    wait "$two"
    expect "Published shop" "$work/one"
    cmp "$work/one" "$work/two"
    ssh_as dev builds follow "$build" --offset 100 >"$work/rest"
    cmp "$work/rest" <(tail -c +101 "$work/one")
    new_commit shop
    push_with shop detach env.FAIL=1
    status=0
    ssh_as dev builds follow "$(detached_build shop)" >"$work/out" || status=$?
    same "$status" 10
'
check 'a build is built again over SSH, as the same commit, by who asked' '
    build=$(last_build shop .build)
    commit=$(last_build shop .commit)
    ssh_as dev builds retry "$build" >"$work/out"
    again=$(last_build shop .build)
    [ "$again" != "$build" ] || fail "no new build"
    expect "$again" "$work/out"
    ssh_as dev builds follow "$again" >"$work/log"
    expect "Published shop" "$work/log"
    same "$(last_build shop .commit)" "$commit"
    same "$(last_build shop .pushed_by)" dev
'
check 'a build is cancelled over SSH' '
    new_commit shop
    push_with shop detach env.SLOW=60
    build=$(detached_build shop)
    ssh_as dev builds cancel "$build"
    wait_until 10 "it is cancelled" build_is shop cancelled
    status=0
    ssh_as dev builds cancel "$build" 2>"$work/out" || status=$?
    same "$status" 5
'
finish
