#!/usr/bin/env bash
# Fixture and test: `slipway stack create debian-12`. The images are kept for the other scenarios in
# the build tree, and made again only when their definition changed.
. "$(dirname "$0")/lib.sh"

key=$(cd "$SLIPWAY_SOURCE_DIR/stacks/debian-12" && cat -- * | sha256sum | cut -d ' ' -f 1)
if [ "$(cat "$shared/debian-12.key" 2>/dev/null)" = "$key" ]; then
    echo "made earlier, from the same definition"
    exit 0
fi
mkdir -p "$shared"
rm -rf "$shared/debian-12" "$shared/debian-12.key"
start_server

check 'stack create makes a build image and a run image and puts them into the registry' '
    export TMPDIR=$work # dpkg syncs each file: memory, where there is plenty, is five times faster
    slipway stack create debian-12
    slipway --json stack info debian-12 >"$work/stack"
    jq -e ".name == \"debian-12\" and .current" "$work/stack"
    for image in build run; do
        reference=$(jq -r ".$image" "$work/stack")
        [[ $reference == *@sha256:* ]] || fail "no digest in $reference"
        skopeo --insecure-policy copy --quiet --src-tls-verify=false \
            "docker://$reference" "oci:$shared/debian-12:$image"
    done
'
check 'the images name their user and their distribution' '
    for image in build run; do
        skopeo inspect --config "oci:$shared/debian-12:$image" >"$work/config"
        jq -e ".config.User == \"1000:1000\"" "$work/config"
        jq -e ".config.Labels[\"io.buildpacks.base.distro.name\"] == \"debian\"" "$work/config"
    done
    skopeo inspect --config "oci:$shared/debian-12:build" | jq -e ".config.Env | index(\"CNB_USER_ID=1000\") and index(\"STACK=heroku-22\")"
'
check 'the run image is small and holds no compiler' '
    size=$(skopeo inspect "oci:$shared/debian-12:run" | jq "[.LayersData[]?.Size] | add // 0")
    echo "compressed: $size bytes"
    umoci unpack --image "$shared/debian-12:run" "$work/run"
    [ ! -e "$work/run/rootfs/usr/bin/gcc" ]
    rm -rf "$work/run"
'
[ "$failures" -ne 0 ] || echo "$key" >"$shared/debian-12.key"

finish
