#!/usr/bin/env bash
# `slipway verify --rebuild`: what was built is built again from the inputs that its provenance
# records, and either the same digest comes out or the first file that differs is named. The same
# for images that `slipway build` signed without a server.
. "$(dirname "$0")/lib.sh"

files_port=$(free_port)
configure "buildpacks.allowed_private_hosts = [\"127.0.0.1:$files_port\"]"
start_server
use_tiny_stack

rebuilds_to() { # CODE VERIFY'S ARGUMENTS: both outputs in $work/out and $work/err
    local code=$1 status=0
    shift
    slipway verify --rebuild "$@" >"$work/out" 2>"$work/err" || status=$?
    cat "$work/out" "$work/err"
    same "$status" "$code"
}
reproduced() { expect "^Reproduced: the recorded inputs give sha256:[0-9a-f]{64} again" "$work/out"; }

script_app hello <<'BUILD'
mkdir -p "$CNB_LAYERS_DIR/deps/lib"
echo 'a dependency' >"$CNB_LAYERS_DIR/deps/lib/file"
ln -sf file "$CNB_LAYERS_DIR/deps/lib/link"
printf '[types]\nlaunch = true\ncache = true\n' >"$CNB_LAYERS_DIR/deps.toml"
echo "built with ${WORD:-nothing}" >public/word.html
BUILD
slipway config set hello WORD=one >/dev/null
push hello >/dev/null
echo more >"$work/hello/public/more.html"
commit hello second
push hello >/dev/null

check 'an app is built again from nothing to the same digest, with the variables of the server' '
    rebuilds_to 0 hello
    reproduced
    expect "$(pushed_digest hello)" "$work/out"
    expect "Variable WORD: the app.s value of today" "$work/out"
    slipway --json verify --rebuild hello 2>/dev/null | jq -e ".rebuild.reproduced and .rebuild.inputs == []"
'
check 'an older build is rebuilt from its own commit' '
    rebuilds_to 0 "$(slipway --json builds list --app hello | jq -r ".builds[-1].id")"
    reproduced
'
check 'the source may be a clone of the person'\''s, and must have the commit' '
    rebuilds_to 0 hello --source "$work/hello"
    reproduced
    git init -q "$work/empty"
    rebuilds_to 4 hello --source "$work/empty"
    expect "the commit $(git -C "$work/hello" rev-parse HEAD) is not in" "$work/err"
'
check 'another value of a variable changes the image, and the first file that differs is named' '
    slipway config set hello WORD=three >/dev/null
    rebuilds_to 16 hello
    expect "^Not reproduced: the recorded inputs give sha256:[0-9a-f]{64}, not $(pushed_digest hello)" "$work/out"
    expect "^First difference: /workspace/public/word.html \(app\): size, 15 bytes in the image, 17 bytes in the rebuild" "$work/out"
    expect "^Layers that differ: app$" "$work/out"
    rebuilds_to 0 hello --env WORD=one
    reproduced
    expect "Variable WORD: as given with --env" "$work/out"
'
check 'a variable that nobody has a value for any more is told before all else' '
    slipway config unset hello WORD >/dev/null
    rebuilds_to 16 hello
    expect "^Not the same input: variable WORD was set, is nothing" "$work/out"
    slipway config set hello WORD=one OTHER=later >/dev/null
    rebuilds_to 0 hello
    reproduced
'
check 'another buildpack is told, by what it was and is' '
    cp -a "$fixtures/buildpacks" "$work/other"
    echo "echo changed >public/changed.html" >>"$work/other/script/bin/build"
    rebuilds_to 16 hello --buildpacks "$work/other"
    expect "^Not the same input: buildpack test/script@1.0.0 was sha256:[0-9a-f]{64}, is sha256:[0-9a-f]{64}" "$work/out"
    expect "^First difference: /workspace/public/changed.html \(app\): added, nothing in the image, file, 8 bytes in the rebuild" "$work/out"
'
check 'a person elsewhere does it with the public key, their own SSH key and their login at the registry' '
    slipway key >"$work/key.pub"
    image=$(image_reference hello)
    mkdir "$work/docker"
    write_registry_login "$work/docker/config.json" "$registry" "$(slipway tokens create elsewhere --admin 2>/dev/null)"
    elsewhere() {
        GIT_SSH_COMMAND=$(ssh_command dev) DOCKER_CONFIG=$work/docker \
            "$bin/slipway" --state "$work/none" verify --rebuild "$@"
    }
    elsewhere "$image" --key "$work/key.pub" --buildpacks "$fixtures/buildpacks" --env WORD=one >"$work/out" 2>&1 ||
        fail "$(cat "$work/out")"
    reproduced
'
script_app dice <<'BUILD'
mkdir -p "$CNB_LAYERS_DIR/deps"
cat /proc/sys/kernel/random/uuid >"$CNB_LAYERS_DIR/deps/dice"
printf '[types]\nlaunch = true\n' >"$CNB_LAYERS_DIR/deps.toml"
BUILD
push dice >/dev/null
check 'a build that throws dice is found out: which layer, which file, what of it' '
    rebuilds_to 16 dice
    expect "^First difference: /layers/test_script/deps/dice \(test/script: deps\): content, sha256:[0-9a-f]{64} in the image, sha256:[0-9a-f]{64} in the rebuild" "$work/out"
    status=0
    slipway --json verify --rebuild dice >"$work/json" 2>/dev/null || status=$?
    same "$status" 16
    jq -e ".verified and (.rebuild.reproduced | not) and .rebuild.first_difference.what == \"content\" and .rebuild.layers == [\"test/script: deps\"]" "$work/json"
'
slipway apps create packed >/dev/null
cp -a "$work/dice" "$work/packed"
rm -rf "$work/packed/.git"
echo 'echo packed >public/packed.html' >"$work/packed/build.sh"
slipway deploy packed "$work/packed" >/dev/null
check 'a directory that was deployed is rebuilt when it is given again, unchanged' '
    rebuilds_to 2 packed
    expect "an archive, which nobody keeps" "$work/err"
    rebuilds_to 0 packed --source "$work/packed"
    reproduced
    echo changed >"$work/packed/public/index.html"
    rebuilds_to 2 packed --source "$work/packed"
    expect "is not the source of this image any more" "$work/err"
'
check 'an archive at an address is downloaded again, and must be the same file' '
    echo fetched >"$work/packed/public/index.html"
    mkdir "$work/files"
    tar -C "$work/packed" -czf "$work/files/app.tgz" .
    (cd "$work/files" && exec python3 -m http.server --bind 127.0.0.1 "$files_port" >/dev/null 2>&1) &
    files=$!
    trap "kill $files" EXIT
    wait_until 20 "the files are served" curl -sS -o /dev/null "http://127.0.0.1:$files_port/app.tgz"
    curl -sS --unix-socket "$state/run/control.sock" -X POST "http://localhost/v1/apps/packed/builds?follow" \
        -H "Content-Type: application/json" -d "{\"build\": {\"source_url\": \"http://127.0.0.1:$files_port/app.tgz\"}}" >"$work/log"
    rebuilds_to 0 packed
    reproduced
    expect "$(tail -n 1 "$work/log")" "$work/out"
    rebuilds_to 0 packed --source "$work/files/app.tgz"
    reproduced
    tar -C "$work/hello" -czf "$work/files/app.tgz" .
    rebuilds_to 10 packed
    expect "has the checksum sha256:[0-9a-f]{64}, not sha256:" "$work/err"
    rebuilds_to 2 packed --source "$work/files/app.tgz"
    expect "is not the source of this image: its checksum is" "$work/err"
'
openssl ecparam -name prime256v1 -genkey -noout -out "$work/mine.key" 2>/dev/null
chmod 600 "$work/mine.key"
openssl ec -in "$work/mine.key" -pubout -out "$work/mine.pub" 2>/dev/null
check 'an image that was built and signed without a server is verified and rebuilt likewise' '
    echo mine >"$work/packed/public/index.html"
    slipway build "$work/packed" --output "oci:$work/layout:mine" --sign-key "$work/mine.key" >"$work/built"
    rebuilds_to 0 "oci:$work/layout:mine" --key "$work/mine.pub" --source "$work/packed"
    reproduced
    expect "$(tail -n 1 "$work/built")" "$work/out"
    slipway --json verify "oci:$work/layout:mine" --key "$work/mine.pub" | jq -e ".attestations | length == 3"
    slipway inspect "oci:$work/layout:mine" --sbom spdx | jq -e ".spdxVersion == \"SPDX-2.3\""
    must_fail slipway build "$work/packed" --sign-key "$work/mine.key"
'
check 'what another key signed is given no value of this server, though it names an app of it' '
    # What nobody serves builds is the app "local"; this server has one of that name.
    slipway apps create local >/dev/null
    slipway config set local WORD=of-this-server >/dev/null
    slipway build "$work/hello" --env WORD=theirs --output "oci:$work/theirs:1" --sign-key "$work/mine.key" >"$work/built"
    rebuilds_to 16 "oci:$work/theirs:1" --key "$work/mine.pub" --source "$work/hello"
    expect "Variable WORD: no value is known here" "$work/out"
    refute "of today|of-this-server" "$work/out"
    expect "^Not the same input: variable WORD was set, is nothing" "$work/out"
    rebuilds_to 0 "oci:$work/theirs:1" --key "$work/mine.pub" --source "$work/hello" --env WORD=theirs
    reproduced
'
check 'what another key signed is given no buildpack from a place on this machine' '
    slipway build "$work/packed" --buildpack "$fixtures/buildpacks/script" --output "oci:$work/placed:1" --sign-key "$work/mine.key" >"$work/built"
    rebuilds_to 3 "oci:$work/placed:1" --key "$work/mine.pub" --source "$work/packed"
    expect "a place on this machine, and another server signed it" "$work/err"
'
# What git tells a hook, or a person's alias, about its repository.
git init -q --bare "$work/of-a-hook.git"
export_of_a_hook() {
    export GIT_DIR=$work/of-a-hook.git GIT_OBJECT_DIRECTORY=$work/of-a-hook.git/objects \
        GIT_INDEX_FILE=$work/of-a-hook.index GIT_WORK_TREE=$work/nowhere
}
unset_of_a_hook() { unset GIT_DIR GIT_OBJECT_DIRECTORY GIT_INDEX_FILE GIT_WORK_TREE; }
check 'a rebuild that a git hook or alias starts fetches into its own repository' '
    export_of_a_hook
    rebuilds_to 0 hello --source "$work/hello"
    reproduced
    unset_of_a_hook
    expect "^0 objects" <(git -C "$work/of-a-hook.git" count-objects)
    [ ! -e "$work/of-a-hook.index" ]
'
stop_server
export_of_a_hook
start_server
unset_of_a_hook
check 'a server that a git hook started builds from its own repositories' '
    echo again >"$work/hello/public/more.html"
    commit hello third
    push hello >/dev/null
    rebuilds_to 0 hello
    reproduced
    expect "^0 objects" <(git -C "$work/of-a-hook.git" count-objects)
    [ ! -e "$work/of-a-hook.index" ]
'
check 'a rebuild leaves nothing behind' '
    # In a cache of its own: others build on this machine, too.
    mkdir -m 755 "$work/cache"
    export XDG_CACHE_HOME=$work/cache
    rebuilds_to 0 hello
    same "$(ls "$work/cache/slipway/builds")" ""
'
finish
