#!/usr/bin/env bash
# Layers on their way into the registry: large apps in slices, nothing made or sent twice, nothing
# believed that is not there.
. "$(dirname "$0")/lib.sh"

start_server
use_tiny_stack

# 100 MB in 400 files that each build writes anew, with the same content.
script_app large <<'BUILD'
mkdir -p files
i=0
while [ $i -lt 400 ]; do
    yes "line $i of a file like others" | head -c 262144 >files/file-$i
    i=$((i + 1))
done
echo "$(cat edited 2>/dev/null)" >>files/file-200
BUILD

sent() { grep -oE '[0-9]+ of [0-9]+ blobs had to be sent' "$work/large.push"; }
digest_of_layers() { inspect large --raw | jq -c '[.layers[].digest]'; }
# How many of the image's layers the last one did not have.
new_layers() { # BEFORE AFTER
    jq -n --argjson before "$1" --argjson after "$2" '$after - $before | length'
}
change() { # TEXT
    echo "$1" >"$work/large/edited"
    commit large "$1"
    push large
}
index() { ls "$state"/caches/*/exported; }

check 'a large app is pushed in slices, and the log says what was sent' '
    push large
    [ "$(sent | cut -d" " -f 1)" -ge 6 ]
    inspect large --config | jq -e "[.history[].created_by | select(startswith(\"Application Slice: \"))]
        | length >= 4 and length <= 40"
    inspect large --config | jq -e ".config.Labels[\"io.buildpacks.lifecycle.metadata\"] | fromjson
        | .app | length >= 4"
'
check 'its layers together are the app' '
    mkdir "$work/out"
    skopeo --insecure-policy copy --quiet --src-tls-verify=false \
        "docker://$(image_reference large)" "oci:$work/out/layout:large"
    umoci unpack --image "$work/out/layout:large" "$work/out/bundle" >"$work/unpack.log" 2>&1
    app=$work/out/bundle/rootfs/workspace
    same "$(find "$app/files" -type f | wc -l)" 400
    same "$(stat -c %u:%g "$app/files/file-7" "$app/files" "$app" | sort -u)" 1000:1000
    cmp <(yes "line 17 of a file like others" | head -c 262144) "$app/files/file-17"
    rm -rf "$work/out/bundle"
'
check 'each layer of ours says what compressed it' '
    inspect large --raw | jq -e "[.layers[] | .annotations[\"dev.slipway.compressor\"] // empty]
        | length >= 6 and all(test(\"^ISA-L 2[.0-9]+ level 1\$\"))"
'
check 'the same files, built again, are neither compressed nor sent, and the digest stays' '
    before=$(pushed_digest large)
    commit large again
    push large
    expect "0 of [0-9]+ blobs had to be sent" "$work/large.push"
    same "$(pushed_digest large)" "$before"
'
check 'a build without a cache does not send them either' '
    commit large without
    push large -o no-cache main
    expect "0 of [0-9]+ blobs had to be sent" "$work/large.push"
'
check 'one changed file makes one slice anew' '
    before=$(digest_of_layers)
    change "one line more"
    after=$(digest_of_layers)
    new=$(new_layers "$before" "$after")
    echo "$new new layers: $(sent)"
    [ "$new" -ge 1 ] && [ "$new" -le 2 ]
    [ "$(sent | cut -d" " -f 1)" -le 3 ] # and the configuration
'
check 'a layer that the registry has lost is made and sent again' '
    lost=$(digest_of_layers | jq -r ".[-4]") # the last slice: launcher, config and processes follow
    find "$state" -path "*/blobs/sha256/*/${lost#sha256:}" -prune -exec rm -r {} +
    find "$state" -path "*/_layers/sha256/${lost#sha256:}" -prune -exec rm -r {} +
    change "and another"
    digest_of_layers | jq -e --arg lost "$lost" "index(\$lost) != null"
    skopeo --insecure-policy copy --quiet --src-tls-verify=false \
        "docker://$(image_reference large)" "oci:$work/out/layout:again"
'
check 'a damaged index of layers is told, and the image is the same' '
    before=$(pushed_digest large)
    echo "slipway layers 1 sha256:0 damaged" >"$(index)"
    commit large damaged
    push large
    expect "of the last build.s layers is damaged" "$work/large.push"
    same "$(pushed_digest large)" "$before"
    expect "0 of [0-9]+ blobs had to be sent" "$work/large.push"
    commit large healed
    push large
    refute "is damaged" "$work/large.push"
'
check 'a layout may be zstd or not compressed at all, with the same content' '
    for compression in gzip zstd none; do
        slipway build "$work/large" --output "oci:$work/out/$compression:app" \
            --compression "$compression" --buildpacks "$buildpacks" >"$work/build.log"
        skopeo inspect --raw "oci:$work/out/$compression:app" >"$work/out/$compression.json"
        skopeo inspect --config "oci:$work/out/$compression:app" | jq -c .rootfs.diff_ids \
            >"$work/out/$compression.diff_ids"
    done
    jq -e ".layers[-2].mediaType == \"application/vnd.oci.image.layer.v1.tar+zstd\"" "$work/out/zstd.json"
    jq -e ".layers[-2].mediaType == \"application/vnd.oci.image.layer.v1.tar\"" "$work/out/none.json"
    cmp "$work/out/gzip.diff_ids" "$work/out/zstd.diff_ids"
    cmp "$work/out/gzip.diff_ids" "$work/out/none.diff_ids"
    umoci unpack --image "$work/out/none:app" "$work/out/bundle" >"$work/unpack.log" 2>&1
    test -f "$work/out/bundle/rootfs/workspace/files/file-399"
'

finish
