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

check 'a Ruby app is built with its native gem, and its image answers' '
    slipway apps create ruby-hello
    new_repository ruby-hello ruby-hello
    mkdir -p "$work/ruby-hello/vendor/cache"
    "$fixtures/gems/make-gem" hello_native "$work/ruby-hello/vendor/cache"
    commit ruby-hello "with its gem"
    push ruby-hello
    expect "Installed 1 gem" "$work/ruby-hello.push"
    answers ruby-hello "Hello from Slipway"
'
check 'its second build downloads nothing and gives the same digest' '
    pushes_again ruby-hello
'
check 'Sinatra and Puma of Debian packages serve a Rack app' '
    pushes ruby-sinatra ruby-sinatra
    answers ruby-sinatra "Hello from Slipway, Sinatra [0-9.]+ and Ruby 3"
'

check 'a PHP app is built with its package, and its image answers every path and method' '
    pushes php-hello php-hello
    answers php-hello "Hello from Slipway, PHP 8, GET /some/path" "/some/path"
    answers php-hello "a section" /section/
    answers php-hello "a file as it is" /assets/note.txt
'
check 'its second build downloads nothing and gives the same digest' '
    digest=$(pushed_digest php-hello)
    commit php-hello "nothing new"
    push php-hello
    refute "Unpacked|Downloading|Fetching" "$work/php-hello.push"
    same "$(pushed_digest php-hello)" "$digest"
'
check 'PHP files without a composer.json are served' '
    pushes php-plain php-plain
    answers php-plain "plain PHP 8"
    refute "composer" "$work/php-plain.push"
'

finish
