#!/usr/bin/env bash
# The images of this lifecycle and of the reference lifecycle, for the same buildpacks, app and base.
#
# What the reference made stands in tests/fixtures/agreement/CASE/reference/. With
# SLIPWAY_REFERENCE_LIFECYCLE=DIR, which has its `lifecycle` and `launcher`, it is run here and must
# make that again; RECORD=1 besides writes it down anew.
. "$(dirname "$0")/lib.sh"

cases=$fixtures/agreement
support=$SLIPWAY_SOURCE_DIR/tests/support
reference=${SLIPWAY_REFERENCE_LIFECYCLE:-}
mkdir -p "$work"/{ours,recorded,theirs,layout}
buildpacks=$cases/rebuild
start_server
use_tiny_stack

# A build that fails is compared too: that it does.
normalised() { # IMAGE STATUS FILE
    mkdir -p "$(dirname "$3")"
    if [ "$2" -ne 0 ]; then
        echo '{"outcome": "the build fails"}' >"$3"
        return 0
    fi
    rm -rf "$work/layout"
    skopeo --insecure-policy copy --quiet --src-tls-verify=false "docker://$registry/$1" "oci:$work/layout:app"
    skopeo --insecure-policy copy --quiet --src-tls-verify=false \
        "docker://$registry/stacks/tiny:run" "oci:$work/layout:run"
    python3 "$support/compare_images.py" record "$work/layout" app run "$registry" >"$3"
}

# The fixtures as git would have them; order.toml and buildpacks as a directory of buildpacks.
build_here() { # CASE BUILD
    local name=$1 status=0 variable options=()
    for variable in "$cases/$name"/platform/*; do
        [ ! -f "$variable" ] || options+=(--env "$(basename "$variable")=$(cat "$variable")")
    done
    "$bin/slipway" --state "$state" build "$cases/$name/app" --publish "$registry/ours/$name:latest" \
        --buildpacks "$cases/$name" --cache "$work/cache-$name" "${options[@]}" || status=$?
    normalised "ours/$name:latest" "$status" "$work/ours/$name/$2.json"
}
# Only a push knows the app's last image.
push_here() { # CASE BUILD
    local name=$1 status=0
    if [ "$2" = first ]; then
        new_app "$name"
        cp -R "$cases/$name/app/." "$work/$name/"
    fi
    commit "$name" "$2"
    push "$name" || status=$?
    normalised "$(image_reference "$name" | sed "s,^$registry/,,")" "$status" "$work/ours/$name/$2.json"
}
build_there() { # CASE BUILD
    local name=$1 status=0
    "$support/run_lifecycle.sh" "$reference" "$cases/$name" "$work/bundle/rootfs" "$registry" \
        "theirs/$name" || status=$?
    normalised "theirs/$name:latest" "$status" "$work/theirs/$name/$2.json"
}

for directory in "$cases"/*/app; do
    name=$(basename "$(dirname "$directory")")
    mkdir -p "$work/recorded/$name"
    how=build_here
    [ "$name" != rebuild ] || how=push_here
    check "$name is built twice" '
        "$how" "$name" first
        "$how" "$name" second
    '
    if [ -n "$reference" ]; then
        check "the reference builds $name twice, as it did before" '
            rm -rf "$work/bundle"
            umoci unpack --image "$shared/tiny:build" "$work/bundle" >"$work/unpack.log" 2>&1
            build_there "$name" first
            build_there "$name" second
            refute "the build fails" "$work/theirs/$name/first.json"
            refute "the build fails" "$work/theirs/$name/second.json"
            if [ "${RECORD:-}" = 1 ]; then
                mkdir -p "$cases/$name/reference"
                cp "$work/theirs/$name"/*.json "$cases/$name/reference/"
            fi
            diff -r "$cases/$name/reference" "$work/theirs/$name"
        '
    fi
    [ ! -d "$cases/$name/reference" ] || cp "$cases/$name"/reference/*.json "$work/recorded/$name/"
done
[ -n "$reference" ] || echo "skipped: running the reference lifecycle (SLIPWAY_REFERENCE_LIFECYCLE is not set); comparing with what it made before"

check 'every difference from the reference is an allowed one or is known to be wrong' '
    status=0
    python3 "$support/compare_images.py" compare "$work/ours" "$work/recorded" \
        "$cases/allowed.txt" "$cases/known-failing.txt" >"$work/differences" || status=$?
    grep -vE "^(allowed|known) |^          " "$work/differences" | grep -v "^new" || true
    grep -A 2 "^new" "$work/differences" || true
    exit "$status"
'
[ -z "${DIFFERENCES:-}" ] || cp "$work/differences" "$DIFFERENCES"

finish
