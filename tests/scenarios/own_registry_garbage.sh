#!/usr/bin/env bash
# Garbage of the registry that the server runs: what nobody names leaves, its bytes are free again,
# and what a tag, a kept build or a running build names can be pulled as before.
. "$(dirname "$0")/lib.sh"

# docker-registry, which stands still in its garbage collection where the scenario asks for it.
real_registry=$(command -v docker-registry) || skip_all "no docker-registry"
mkdir "$work/bin"
mkdir -m 1777 "$work/signs"
cat >"$work/bin/docker-registry" <<SH
#!/bin/sh
if [ "\$1" = garbage-collect ] && [ -e "$work/signs/stand" ]; then
    : >"$work/signs/stands"
    exec sleep 600
fi
exec "$real_registry" "\$@"
SH
chmod 755 "$work/bin/docker-registry"
export PATH=$work/bin:$PATH

# What stands beside an image leaves lists of it behind; scenario proof looks after those.
configure 'registry.proof = "no"'
start_server
use_tiny_stack
slipway apps create shop --repository acme/shop
add_key dev
new_repository shop
echo 'exec httpd -f -p "$PORT"' >"$work/shop/web.sh"
shop=$registry/acme/shop
member=$(slipway tokens create member --app shop 2>/dev/null)

# An application of three megabytes that no compressor makes smaller.
release() {
    head -c 3000000 /dev/urandom >"$work/shop/big"
    echo 'echo built' >"$work/shop/build.sh"
    commit shop "$1"
    push shop >/dev/null 2>&1
    pushed_digest shop
}
# An image of three megabytes that nobody built, under a tag.
push_by_hand() { # TAG
    local directory=$work/by-hand-$1
    mkdir -p "$directory/tree"
    umoci init --layout "$directory/layout"
    umoci new --image "$directory/layout:x"
    head -c 3000000 /dev/urandom >"$directory/tree/big"
    umoci insert --image "$directory/layout:x" "$directory/tree" /data
    skopeo --insecure-policy copy --quiet --dest-tls-verify=false "oci:$directory/layout:x" "docker://$shop:$1"
    skopeo inspect --tls-verify=false --format '{{.Digest}}' "docker://$shop:$1"
}
can_pull() { # REFERENCE: every byte of it
    rm -rf "$work/pulled"
    skopeo --insecure-policy copy --quiet --src-tls-verify=false "docker://$1" "oci:$work/pulled:x"
}
stored() { du -s --apparent-size --block-size=1 "$state/registry/data" | cut -f 1; }
prune() { slipway --json prune "$@"; }
leaves() { # KIND: names, of the last prune
    jq -r --arg kind "$1" '.items[] | select(.kind == $kind) | .name' "$work/pruned"
}
# Whatever is there now was written before retention.images.
old_enough() { find "$state/registry/data" -name link -exec touch -d '2 days ago' {} +; }

# A piece of an upload that takes two seconds; returns once the registry reads it.
start_slow_upload() {
    local realm token place
    realm=$(curl -s -o /dev/null -D - "http://$registry/v2/" | tr -d '\r' |
        sed -n 's/^[Ww]ww-[Aa]uthenticate: Bearer realm="\([^"]*\)".*/\1/p')
    token=$(curl -sSf -u "any:$member" -G "$realm" --data service=slipway-registry \
        --data "scope=repository:acme/shop:pull,push" | jq -r .token)
    place=$(curl -sSf -D - -o /dev/null -X POST -H "Authorization: Bearer $token" \
        "http://$registry/v2/acme/shop/blobs/uploads/" | tr -d '\r' | sed -n 's/^[Ll]ocation: //p')
    case $place in /*) place=http://$registry$place ;; esac
    head -c 2000000 /dev/zero >"$work/piece"
    curl -s -o /dev/null -w '%{http_code}' --limit-rate 1M -X PATCH -T "$work/piece" \
        -H "Authorization: Bearer $token" -H 'Content-Type: application/octet-stream' "$place" >"$work/uploaded" &
    uploader=$!
    wait_until 20 'the registry reads the upload' upload_has_begun
}
upload_has_begun() { [ -n "$(find "$state/registry/data/docker/registry/v2/repositories/acme/shop/_uploads" -name data -size +0)" ]; }

first=$(release first)
second=$(release second)
overwritten=$(push_by_hand moving)
rm -rf "$work/by-hand-moving"
kept=$(push_by_hand moving)
old_enough

check 'a dry run names the image that lost its tag, and nothing else' '
    prune --dry-run >"$work/pruned"
    jq . "$work/pruned"
    same "$(leaves image)" "acme/shop@$overwritten"
    same "$(leaves blob)" 3
    can_pull "$shop@$overwritten"
'
check 'a prune removes it and its bytes, and no other' '
    before=$(stored)
    prune >"$work/pruned"
    same "$(leaves image)" "acme/shop@$overwritten"
    [ $((before - $(stored))) -gt 2900000 ] || fail "$before bytes became $(stored)"
    must_fail can_pull "$shop@$overwritten"
    for image in "@$first" "@$second" "@$kept" :moving :latest; do can_pull "$shop$image"; done
    prune >"$work/pruned"
    same "$(leaves image)$(leaves blob)" ""
'
check 'a request under way is finished before the registry starts anew for a prune' '
    push_by_hand slow >/dev/null
    rm -rf "$work/by-hand-slow"
    push_by_hand slow >/dev/null
    old_enough
    start_slow_upload
    prune >"$work/pruned"
    [ -n "$(leaves blob)" ]
    wait "$uploader"
    same "$(cat "$work/uploaded")" 202
'
check 'the registry takes images again, also one that it had removed' '
    write_registry_login "$work/member.json" "$registry" "$member"
    directory=$work/by-hand-back
    REGISTRY_AUTH_FILE=$work/member.json skopeo --insecure-policy copy --quiet --dest-tls-verify=false \
        "oci:$work/by-hand-moving/layout:x" "docker://$shop:back"
    can_pull "$shop:back"
    release third
    can_pull "$shop@$(pushed_digest shop)"
'
check 'it waits for a build that runs, and the builds that come wait for it' '
    push_by_hand moving >/dev/null 2>&1 || true
    rm -rf "$work/by-hand-moving"
    push_by_hand moving
    old_enough
    printf "echo built\nhold shop\n" >"$work/shop/build.sh"
    commit shop held
    push shop >"$work/pushed" 2>&1 & pusher=$!
    wait_until 60 "the build is held" is_held shop
    prune >"$work/pruned" & pruner=$!
    slipway apps create waiting
    new_repository waiting
    echo "echo built" >"$work/waiting/build.sh"
    echo "exec httpd -f" >"$work/waiting/web.sh"
    commit waiting first
    push waiting -o detach main
    same "$(last_build waiting .state)" queued
    let_go shop
    wait "$pusher"
    wait "$pruner"
    [ -n "$(leaves blob)" ]
    can_pull "$shop@$(pushed_digest shop)"
    wait_until 60 "the build that waited is published" build_is waiting published
'
check 'a server that dies in the middle of it is whole when it starts again' '
    rm -rf "$work"/by-hand-*
    push_by_hand lost
    rm -rf "$work/by-hand-lost"
    push_by_hand lost
    old_enough
    : >"$work/signs/stand"
    prune >/dev/null 2>&1 & pruner=$!
    wait_until 60 "the collection stands" test -e "$work/signs/stands"
    kill -KILL "$server_pid"
    wait "$pruner" || true
    stored >"$work/before"
'
wait "$server_pid" 2>/dev/null || true
rm -f "$work/signs/stand"
start_server
check 'every image that somebody names is there, and the rest leaves with the next prune' '
    # The start prunes, too, and this waits for it: the registry is away for a moment meanwhile.
    prune >/dev/null
    for image in "@$first" "@$second" :latest :lost; do can_pull "$shop$image"; done
    release fourth
    can_pull "$shop@$(pushed_digest shop)"
    # fourth brought as much as left.
    [ $(($(cat "$work/before") + 3000000 - $(stored))) -gt 2900000 ] || fail "$(cat "$work/before") bytes became $(stored)"
    for image in "@$first" "@$second" "@$(pushed_digest shop)" :latest :lost; do can_pull "$shop$image"; done
'
check 'the images of an app that is destroyed leave, and the stacks stay' '
    before=$(stored)
    slipway apps destroy shop --confirm shop
    prune >/dev/null
    [ $((before - $(stored))) -gt 12000000 ] || fail "$before bytes became $(stored)"
    can_pull "$registry/stacks/tiny:run"
    can_pull "$registry/stacks/tiny:build"
'

finish
