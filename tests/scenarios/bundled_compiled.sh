#!/usr/bin/env bash
# The bundled buildpacks that compile: go and rust.
. "$(dirname "$0")/lib.sh"

buildpacks=$SLIPWAY_SOURCE_DIR/buildpacks/bundled

# A registry's own client need not be here; an answer of any kind shows that there is a way.
reachable() { curl --silent --location --max-time 30 --output /dev/null "$1"; }
reachable "$(GOPROXY=${GOPROXY:-https://proxy.golang.org}; echo "${GOPROXY%%[,|]*}")" ||
    skip_all 'the Go module proxy cannot be reached'
reachable "$(mirror=${SLIPWAY_CARGO_MIRROR:-https://index.crates.io/}; echo "${mirror#sparse+}")" ||
    skip_all 'crates.io cannot be reached'

configure "$("$SLIPWAY_SOURCE_DIR/tools/network-settings")"
start_server
use_debian_stack

pushes() { # NAME FIXTURE
    new_app "$1" "$2"
    push "$1"
    expect 'sha256:[0-9a-f]{64}' "$work/$1.push"
}
# Words of those who fetch: the go command, cargo, and the apt buildpack.
downloads='go: downloading|Download(ing|ed) |Updating .*index|Unpacked [0-9]'

pushes_again() { # NAME
    local digest
    digest=$(pushed_digest "$1")
    commit "$1" 'nothing new'
    push "$1"
    refute "$downloads" "$work/$1.push"
    expect 'from the cache' "$work/$1.push"
    same "$(pushed_digest "$1")" "$digest"
}
# Changes one word of the source, and of nothing else.
pushes_a_change() { # NAME FILE
    local digest
    digest=$(pushed_digest "$1")
    sed -i 's/8080/8081/' "$work/$1/$2"
    commit "$1" changed
    push "$1"
    refute "$downloads" "$work/$1.push"
    [ "$(pushed_digest "$1")" != "$digest" ]
}
process_types() { # NAME
    inspect "$1" --config | jq -r \
        '.config.Labels["io.buildpacks.build.metadata"] | fromjson | [.processes[].type] | sort | join(" ")'
}

check 'a Go app is compiled with its dependency, and its image answers' '
    pushes go-hello go-hello
    expect "Go 1\.26\.[0-9]+ \(go 1\.26 in go\.mod\)" "$work/go-hello.push"
    answers go-hello "Hello from Slipway"
    answers go-hello "Hello from there" /to/there
    same "$(process_types go-hello)" "tick web"
'
check 'its second build downloads nothing and gives the same digest' '
    pushes_again go-hello
'
check 'a change of its source gives another image, out of the same downloads' '
    pushes_a_change go-hello main.go
    answers go-hello "Hello from Slipway"
'
check 'a Go app that does not compile is refused with the words of the compiler' '
    sed -i "s/log.Fatal/log.Fatel/" "$work/go-hello/main.go"
    commit go-hello broken
    refused_push go-hello
    expect "undefined: log.Fatel" "$work/go-hello.push"
    expect "ERROR: go build failed" "$work/go-hello.push"
'
check 'a Rust app is compiled by the Rust of Debian, and its image answers' '
    pushes rust-hello rust-hello
    expect "Compiling tiny_http" "$work/rust-hello.push"
    answers rust-hello "Hello from Slipway"
'
check 'its second build downloads nothing and gives the same digest' '
    pushes_again rust-hello
'
check 'a change of its source is compiled, and its dependencies are not' '
    pushes_a_change rust-hello src/main.rs
    expect "Compiling rust-hello" "$work/rust-hello.push"
    refute "Compiling tiny_http" "$work/rust-hello.push"
    answers rust-hello "Hello from Slipway"
'
check 'a Rust that there is not is refused by name' '
    printf "[toolchain]\nchannel = \"nightly\"\n" >"$work/rust-hello/rust-toolchain.toml"
    commit rust-hello nightly
    refused_push rust-hello
    expect "rust-toolchain.toml asks for Rust .nightly.; there is 1\." "$work/rust-hello.push"
'

finish
