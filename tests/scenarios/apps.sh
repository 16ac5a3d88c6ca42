#!/usr/bin/env bash
# The bundled buildpacks on the debian-12 stack: real apps with real dependencies.
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
same_tree_again() { # NAME
    commit "$1" 'nothing new'
    push "$1"
}
# Words of package managers that fetch.
downloads='[Dd]ownload(ing|ed) |[Ff]etching |added [0-9]+ package|Collecting '

check 'a Node.js app is built with its dependency, and its image answers' '
    pushes node-hello node-hello
    answers node-hello "Hello from Slipway"
'
check 'its second build with the same dependency list downloads nothing, and gives the same digest' '
    digest=$(last_build node-hello .digest)
    same_tree_again node-hello
    refute "$downloads" "$work/node-hello.push"
    same "$(pushed_digest node-hello)" "$digest"
    echo "// changed" >>"$work/node-hello/server.js"
    commit node-hello changed
    push node-hello
    refute "$downloads" "$work/node-hello.push"
    [ "$(pushed_digest node-hello)" != "$digest" ]
'
check 'a Node.js app whose build script fails is refused with the script'"'"'s words' '
    slipway apps create node-broken
    new_repository node-broken node-broken
    refused_push node-broken
    expect "^remote:  !     .*slipway/nodejs" "$work/node-broken.push"
    same "$(remote_head node-broken)" ""
'
check 'a Python app is built with its requirements, and its image answers' '
    pushes python-hello python-hello
    answers python-hello "."
'
check 'its second build downloads nothing' '
    same_tree_again python-hello
    refute "$downloads" "$work/python-hello.push"
'
check 'a directory of files is served' '
    pushes static-hello static-hello
    answers static-hello "<html|<!doctype|Slipway"
    answers static-hello "." /not/there
'
check 'a Procfile alone is enough' '
    pushes procfile-hello procfile-hello
    answers procfile-hello "Hello from Slipway"
    inspect procfile-hello --config | jq -e \
        ".config.Labels[\"io.buildpacks.build.metadata\"] | fromjson | [.processes[].type] | sort == [\"clock\", \"web\"]"
'
check 'a directory that is no app is refused with a table of all four' '
    slipway apps create nothing
    new_repository nothing none
    refused_push nothing
    for name in nodejs python static procfile; do expect "slipway/$name" "$work/nothing.push"; done
'
check 'the image carries no trace of the machine: owner, time and user are fixed' '
    inspect static-hello --config | jq -e ".created == \"1980-01-01T00:00:01Z\""
    skopeo --insecure-policy copy --quiet --src-tls-verify=false \
        "docker://$(image_reference static-hello)" "oci:$work/layout:app"
    umoci unpack --image "$work/layout:app" "$work/bundle"
    same "$(stat -c "%u:%g %Y" "$work/bundle/rootfs/workspace/public/index.html")" "1000:1000 315532801"
    rm -rf "$work/layout" "$work/bundle"
'
check 'slipway build gives the digest of the push, without a server' '
    for app in static-hello node-hello; do
        git -C "$work/$app" checkout -q -B first "$(git -C "$work/$app" rev-list --max-parents=0 HEAD)"
        push "$app" +first:main
        mkdir "$work/$app.export"
        git -C "$work/$app" archive first | tar -x -C "$work/$app.export"
        slipway build "$work/$app.export" --output "oci:$work/$app.layout" >"$work/$app.build" 2>&1 ||
            { cat "$work/$app.build"; exit 1; }
        same "$(grep -oE "sha256:[0-9a-f]{64}" "$work/$app.build" | tail -n 1)" "$(slipway --json apps info "$app" | jq -r .digest)"
        skopeo inspect "oci:$work/$app.layout" >/dev/null
    done
'

finish
