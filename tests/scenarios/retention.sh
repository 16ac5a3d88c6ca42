#!/usr/bin/env bash
# What leaves by age and by size: builds, logs, uploads, caches. A dry run names exactly what the run
# after it removes, and what an app's image, a waiting build or a running one needs stays.
. "$(dirname "$0")/lib.sh"

# The scenarios' own buildpack, and a layer that is kept between builds.
buildpacks=$work/buildpacks
mkdir "$buildpacks"
cp -a "$fixtures/buildpacks/." "$buildpacks/"
cat >>"$buildpacks/script/bin/build" <<'BUILD'
mkdir -p "$CNB_LAYERS_DIR/kept"
[ -f "$CNB_LAYERS_DIR/kept/data" ] && echo 'the cache is there' || echo 'there is no cache'
head -c 100000 /dev/urandom >"$CNB_LAYERS_DIR/kept/data"
printf '[types]\ncache = true\n' >"$CNB_LAYERS_DIR/kept.toml"
BUILD

# Nothing leaves by itself while the scenario looks: the server's own turn is at its start.
age=4
configure "retention.builds = \"${age}s\""
configure 'retention.builds_kept = 0'
configure "retention.logs = \"${age}s\""
configure "retention.uploads = \"${age}s\""
configure "retention.caches = \"${age}s\""
start_server
use_tiny_stack

prune() { slipway --json prune "$@"; }
list_of() { jq -r '.items[] | "\(.kind) \(.name) \(.bytes)"' "$1" | sort; }
would_leave() { # KIND NAME
    prune --dry-run | list_of /dev/stdin | grep -q "^$1 $2 "
}
would_not_leave() { ! would_leave "$@"; }
upload() { # APP: as an archive, not followed; prints the build's id
    git -C "$work/$1" archive --format=tar.gz -o "$work/$1.tar.gz" main
    curl -sS --fail-with-body --unix-socket "$state/run/control.sock" --data-binary "@$work/$1.tar.gz" \
        -H 'Content-Type: application/gzip' "http://localhost/v1/apps/$1/builds" | jq -r .build.id
}
kept_uploads() { find "$state/sources" -type f | wc -l; }
log_of() { find "$state/logs" -name "$1*"; }
push_again() { # NAME
    commit "$1" "again $RANDOM$RANDOM"
    push "$1" >/dev/null
    last_build "$1" .build
}

script_app shop <<<'echo built; head -c 20000 /dev/zero | tr "\0" x | fold -w 100'
script_app idle <<<'echo built; [ ! -f slow ] || hold idle'
first=$(push_again shop)
second=$(push_again shop)
uploaded=$(upload idle)
wait_until 60 'the archive is built' build_is idle published
echo 'exit 3' >"$work/shop/build.sh"
commit shop fails
refused_push shop >/dev/null
refused=$(last_build shop .build)
echo 'echo built' >"$work/shop/build.sh"
released=$(push_again shop)
digest=$(last_build shop .digest)
reference=$(last_build shop .reference)

check 'once all is old enough a dry run names it: builds with their logs, the upload, the caches' '
    wait_until 30 "the newest cache is old" would_leave cache shop
    wait_until 30 "the newest log is old" would_leave log "$released"
    wait_until 30 "the upload is old" would_leave upload ".*"
    prune --dry-run >"$work/dry"
    list_of "$work/dry" >"$work/dry.list"
    cat "$work/dry.list"
    jq -e ".dry_run" "$work/dry"
    for build in "$first" "$second" "$refused"; do
        expect "^build $build [1-9]" "$work/dry.list"
        refute "^log $build " "$work/dry.list"
    done
    expect "^cache idle [1-9]" "$work/dry.list"
    # What was published last stays, and so does its row; its log is as old as the others.
    refute "^build ($released|$uploaded) " "$work/dry.list"
    expect "^log $released " "$work/dry.list"
    expect "^log $uploaded " "$work/dry.list"
'
check 'a dry run removes nothing' '
    same "$(slipway --json builds list | jq ".builds | length")" 5
    [ -n "$(log_of "$first")" ]
    [ -d "$state/caches/shop" ]
    same "$(kept_uploads)" 1
    slipway builds log "$first" | grep -q built
'
check 'the run after it removes exactly what it named, and then there is nothing more' '
    prune >"$work/real"
    list_of "$work/real" >"$work/real.list"
    jq -e ".dry_run | not" "$work/real"
    diff "$work/dry.list" "$work/real.list"
    same "$(slipway --json builds list | jq -r "[.builds[].id] | sort | join(\" \")")" \
        "$(printf "%s\n" "$released" "$uploaded" | sort | paste -sd " ")"
    for build in "$first" "$second" "$refused" "$released"; do [ -z "$(log_of "$build")" ]; done
    [ -z "$(ls "$state/caches")" ]
    same "$(kept_uploads)" 0
    for run in "--dry-run" ""; do
        prune $run | jq -e ".items == []"
    done
'
check 'the app is what it was: its digest, its last build, an image that can be pulled' '
    same "$(slipway --json apps info shop | jq -r .digest)" "$digest"
    same "$(last_build shop .digest)" "$digest"
    same "$(skopeo inspect --tls-verify=false --format "{{.Digest}}" "docker://$reference")" "$digest"
    same "$(remote_head shop)" "$(git -C "$work/shop" rev-parse main)"
'
check 'a log that has left is told of, and a build that has left is not there' '
    slipway builds log "$released" >"$work/said" 2>&1 || true
    refute "built" "$work/said"
    must_fail slipway builds info "$first" >"$work/said" 2>&1
    expect "no build" "$work/said"
'
check 'a build of today finds the server whole: it builds without the cache, and the next one with it' '
    commit shop today
    push shop
    expect "there is no cache" "$work/shop.push"
    commit shop "today again"
    push shop
    expect "the cache is there" "$work/shop.push"
'
check 'what a running and a waiting build need stays, however old it is' '
    touch "$work/idle/slow"
    commit idle slow
    running=$(upload idle)
    wait_until 30 "it runs" build_is idle running
    waiting=$(upload shop)
    same "$(kept_uploads)" 2
    wait_until 30 "the build of today is old" would_leave log "$(slipway --json builds list --app shop --state published | jq -r ".builds[0].id")"
    same "$(last_build idle .state)" running
    prune >"$work/real"
    list_of "$work/real" >"$work/real.list"
    refute "$running|$waiting|^upload|^cache idle|^layer |^image" "$work/real.list"
    same "$(kept_uploads)" 2
    let_go idle
    wait_until 60 "the running one is published" build_is idle published
    wait_until 60 "the waiting one is published" build_is shop published
    same "$(last_build shop .build)" "$waiting"
    slipway builds log "$waiting" | grep -q built
'

# ---------------------------------------------------------------- by size

stop_server
extra_config=
configure 'retention.builds_kept = 0'
configure 'retention.logs_size = 40000'
configure 'retention.caches_size = 150000'
start_server
check 'by size the oldest logs leave, and the cache of the app that was not built for longest' '
    echo "echo built; head -c 20000 /dev/zero | tr \"\\0\" x | fold -w 100" >"$work/shop/build.sh"
    older=$(push_again shop)
    newer=$(push_again shop)
    rm -f "$work/idle/slow"
    push_again idle >/dev/null
    prune --dry-run | list_of /dev/stdin >"$work/dry.list"
    prune | list_of /dev/stdin >"$work/real.list"
    cat "$work/real.list"
    diff "$work/dry.list" "$work/real.list"
    expect "^log $older " "$work/real.list"
    refute "^build|^log $newer " "$work/real.list"
    expect "^cache shop " "$work/real.list"
    refute "^cache idle" "$work/real.list"
    [ -d "$state/caches/idle" ]
    [ -n "$(log_of "$newer")" ]
    [ -z "$(log_of "$older")" ]
    slipway builds info "$older" >/dev/null
'
finish
