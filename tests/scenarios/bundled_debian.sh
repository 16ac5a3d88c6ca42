#!/usr/bin/env bash
# The bundled buildpacks that live on Debian's packages: apt, ruby and php.
. "$(dirname "$0")/lib.sh"

buildpacks=$SLIPWAY_SOURCE_DIR/buildpacks/bundled
configure "$("$SLIPWAY_SOURCE_DIR/tools/network-settings")"
start_server
use_debian_stack

pushes() { # NAME FIXTURE
    new_app "$1" "$2"
    push "$1"
    expect 'sha256:[0-9a-f]{64}' "$work/$1.push"
}
# Pushes a commit without a change: nothing is unpacked, and the digest stays.
pushes_again() { # NAME
    local digest
    digest=$(pushed_digest "$1")
    commit "$1" 'nothing new'
    push "$1"
    refute 'Unpacked|Installed|Installing|Downloading|Fetching' "$work/$1.push"
    expect 'from the cache' "$work/$1.push"
    same "$(pushed_digest "$1")" "$digest"
}

check 'an Aptfile puts a program of Debian and its libraries into the image, where it runs' '
    pushes apt-hello apt-hello
    expect "Unpacked [0-9]+ packages: jq webp and what they need" "$work/apt-hello.push"
    answers apt-hello "cwebp [0-9]"
    expect "jq 3" "$work/answer"
'
check 'its second build downloads nothing and gives the same digest' '
    pushes_again apt-hello
'
check 'an Aptfile that cannot be done is refused with the line and the reason' '
    printf "jq\njq:armhf\n" >"$work/apt-hello/Aptfile"
    commit apt-hello broken
    refused_push apt-hello
    expect "Aptfile, line 2: .jq:armhf. names a package of another architecture" \
        "$work/apt-hello.push"
'

finish
