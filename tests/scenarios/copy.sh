#!/usr/bin/env bash
# Images between registries and layouts: `slipway copy` in each direction, with the same digest at
# both ends and nothing moved that is there; `slipway index create` of what two machines built.
. "$(dirname "$0")/lib.sh"

have_cosign=yes
if ! command -v cosign >/dev/null; then
    skip_part 'the check by cosign, which is not here (tools/install-peers cosign)'
    have_cosign=
fi

# Another registry, as another machine would have it, whose log tells what was asked of it.
other=127.0.0.1:$(free_port)
mkdir "$work/other"
cat >"$work/other.yml" <<YAML
version: 0.1
log: {level: info, formatter: json}
storage: {filesystem: {rootdirectory: $work/other}, delete: {enabled: true}}
http: {addr: "$other"}
YAML
# It takes every variable REGISTRY_... for a setting.
env -u REGISTRY_AUTH_FILE docker-registry serve "$work/other.yml" >"$work/other.log" 2>&1 &
other_pid=$!
trap 'kill "$other_pid" 2>/dev/null || true; clean_up' EXIT
wait_until 20 'the other registry answers' curl -fs -o /dev/null "http://$other/v2/"
# What was asked of it since the last mark: METHOD PATH STATUS, blobs that were sent, mounted.
mark() { wc -l <"$work/other.log" >"$work/mark"; }
asked_since() {
    tail -n "+$(($(cat "$work/mark") + 1))" "$work/other.log" |
        jq -R -r 'fromjson? | select(."http.response.status") | "\(."http.request.method") \(."http.request.uri") \(."http.response.status")"'
}
raw_digest() { skopeo inspect --raw --tls-verify=false "$1" | sha256sum | sed 's/ .*//; s/^/sha256:/'; }

start_server
check 'a stack comes out of a layout' '
    slipway stack use tiny --build "oci:$shared/tiny:build" --run "oci:$shared/tiny:run" >"$work/stack"
    expect "^Build: .*$registry/stacks/tiny/build@$(raw_digest "oci:$shared/tiny:build")$" "$work/stack"
    expect "^Run: .*$registry/stacks/tiny/run@$(raw_digest "oci:$shared/tiny:run")$" "$work/stack"
'
script_app hello <<<'echo fine'
push hello >/dev/null
slipway key >"$work/key.pub"
digest=$(pushed_digest hello)

check 'from a registry into a layout, and its digest is the last line' '
    slipway copy hello "oci:$work/layout:v1" >"$work/out"
    same "$(tail -n 1 "$work/out")" "$digest"
    same "$(raw_digest "oci:$work/layout:v1")" "$digest"
    umoci stat --image "$work/layout:v1" >/dev/null
'
check 'from a layout into a registry, by tag, by digest, and without a name when it has one image' '
    for source in "oci:$work/layout:v1" "oci:$work/layout@$digest" "oci:$work/layout"; do
        same "$(slipway copy "$source" "$other/from-layout:latest" | tail -n 1)" "$digest"
    done
    same "$(raw_digest "docker://$other/from-layout:latest")" "$digest"
'
check 'between registries, and a second time nothing is sent' '
    slipway --json copy hello "$other/team/hello:v1" >"$work/first.json"
    jq -e ".sent >= 4 and .there == 0 and .bytes_sent > 100000" "$work/first.json"
    same "$(jq -r .digest "$work/first.json")" "$digest"
    mark
    slipway --json copy hello "$other/team/hello:v1" >"$work/second.json"
    jq -e ".sent == 0 and .mounted == 0 and .bytes_sent == 0" "$work/second.json"
    asked_since >"$work/asked"
    refute "^(POST|PATCH|PUT) " "$work/asked"
    expect "^HEAD /v2/team/hello/blobs/" "$work/asked"
'
check 'within one registry blobs are mounted: not one is read or sent' '
    mark
    slipway --json copy "$other/team/hello:v1" "$other/team/again:v1" | jq -e ".mounted >= 4 and .sent == 0"
    asked_since >"$work/asked"
    refute "^(PATCH|PUT) .*/blobs/|^GET .*/blobs/" "$work/asked"
    expect "^POST /v2/team/again/blobs/uploads/\?mount=sha256.*from=team%2Fhello.* 201" "$work/asked"
    same "$(raw_digest "docker://$other/team/again:v1")" "$digest"
'
check 'with --all what is attached goes along, and verify finds it at the other end' '
    status=0; slipway verify "$other/team/hello:v1" --key "$work/key.pub" 2>"$work/err" || status=$?
    same "$status" 4
    slipway copy --all hello "$other/team/hello:signed" >"$work/out"
    same "$(tail -n 1 "$work/out")" "$digest"
    slipway verify "$other/team/hello:signed" --key "$work/key.pub" >"$work/verified"
    slipway copy --all "$other/team/hello:signed" "oci:$work/signed:v1" >/dev/null
    slipway verify "oci:$work/signed:v1" --key "$work/key.pub" >>"$work/verified"
    slipway verify "oci:$work/signed" --key "$work/key.pub" >>"$work/verified"
    same "$(grep -c "^Verified: .*$digest" "$work/verified")" 3
    slipway inspect "oci:$work/signed:v1" | expect "^web \*" /dev/stdin
    slipway diff "oci:$work/signed:v1" hello | expect "the same content" /dev/stdin
    slipway copy --all "oci:$work/signed:v1" "$other/back:v1" >/dev/null
    slipway verify "$other/back:v1" --key "$work/key.pub" >/dev/null
    if [ -n "$have_cosign" ]; then
        cosign verify --key "$work/key.pub" --insecure-ignore-tlog=true --allow-insecure-registry "$other/back:v1" >/dev/null
    fi
'
check 'verify says that an image was signed for another repository than the one it was copied to' '
    slipway verify hello >"$work/verified" 2>"$work/err"
    refute "warning" "$work/err"
    expect "^Signed for: +$registry/hello$" "$work/verified"
    slipway --json verify hello | jq -e ".signed_for_this_repository"
    slipway copy --all hello "$registry/shop:1" >/dev/null
    slipway verify "$registry/shop:1" >"$work/verified" 2>"$work/err"
    expect "^Signed for: +$registry/hello$" "$work/verified"
    expect "^warning: it was signed for another repository and copied to $registry/shop: " "$work/err"
    slipway --json verify "$registry/shop:1" >"$work/json"
    jq -e ".verified and (.signed_for_this_repository | not)" "$work/json"
    same "$(jq -r ".signed_for[]" "$work/json")" "$registry/hello"
    slipway --json verify "oci:$work/signed:v1" | jq -e ".signed_for_this_repository == null"
'
check 'a blob of a layout that was damaged is sent again' '
    layer=$(skopeo inspect --raw "oci:$work/layout:v1" | jq -r ".layers[0].digest")
    file=$work/layout/blobs/sha256/${layer#sha256:}
    size=$(stat -c %s "$file")
    head -c "$size" /dev/zero >"$work/zeroes"
    cp "$work/zeroes" "$file"
    slipway --json copy hello "oci:$work/layout:v1" | jq -e ".sent == 1"
    same "$(sha256sum <"$file" | cut -c 1-64)" "${layer#sha256:}"
'

# The image of the other machine: the same app for another architecture, in its own registry.
skopeo --insecure-policy copy --quiet "oci:$work/layout:v1" "oci:$work/arm:v1"
umoci config --image "$work/arm:v1" --architecture arm64 --created 1980-01-01T00:00:01Z --no-history
skopeo --insecure-policy copy --quiet --dest-tls-verify=false "oci:$work/arm:v1" "docker://$other/builds/arm:v1"
arm=$(raw_digest "docker://$other/builds/arm:v1")
mine=$(slipway --json inspect hello | jq -r .architecture)

check 'an index of what two machines built, in a registry' '
    slipway index create "$registry/shop/all:1" hello "$other/builds/arm:v1" >"$work/out"
    expect "^linux/$mine +$digest" "$work/out"
    expect "^linux/arm64 +$arm" "$work/out"
    same "$(raw_digest "docker://$registry/shop/all:1")" "$(tail -n 1 "$work/out")"
    skopeo inspect --tls-verify=false --override-arch arm64 "docker://$registry/shop/all:1" | jq -e ".Architecture == \"arm64\""
    skopeo inspect --tls-verify=false "docker://$registry/shop/all:1" | jq -e ".Architecture == \"$mine\""
'
check 'the order in which the images are named does not change its digest' '
    same "$(slipway index create "oci:$work/index:1" "$other/builds/arm:v1" hello | tail -n 1)" "$(raw_digest "docker://$registry/shop/all:1")"
    same "$(jq ".manifests | length" "$work/index/index.json")" 1
'
check 'a copy of an index has every architecture; --architecture takes one' '
    same "$(slipway copy "$registry/shop/all:1" "$other/shop/all:1" | tail -n 1)" "$(raw_digest "docker://$registry/shop/all:1")"
    same "$(slipway copy "$other/shop/all:1" "oci:$work/all:1" | tail -n 1)" "$(raw_digest "docker://$registry/shop/all:1")"
    skopeo --insecure-policy copy --quiet --all "oci:$work/all:1" "dir:$work/all.dir"
    same "$(slipway copy --architecture arm64 "oci:$work/all:1" "$other/shop/arm:1" | tail -n 1)" "$arm"
    must_fail slipway copy --architecture riscv64 "oci:$work/all:1" "$other/shop/none:1" 2>"$work/err"
    expect "riscv64" "$work/err"
'
check 'buildah and podman read the index' '
    printf "[storage]\ndriver = \"vfs\"\nrunroot = \"%s\"\ngraphroot = \"%s\"\n" "$work/c.run" "$work/c.root" >"$work/c.conf"
    export CONTAINERS_STORAGE_CONF=$work/c.conf
    mkdir -p "$HOME/.config/containers"
    printf "[[registry]]\nlocation = \"%s\"\ninsecure = true\n" "$other" >"$HOME/.config/containers/registries.conf"
    for client in buildah podman; do
        "$client" manifest inspect "$other/shop/all:1" >"$work/$client.json"
        jq -e --arg arm "$arm" "[.manifests[] | select(.platform.architecture == \"arm64\") | .digest] == [\$arm]" "$work/$client.json"
        jq -e ".manifests | length == 2" "$work/$client.json"
    done
'
check 'an index takes the images of another index, and one more' '
    umoci config --image "$work/arm:v1" --tag riscv --architecture riscv64 --created 1980-01-01T00:00:01Z --no-history
    slipway --json index create "$other/shop/three:1" "$other/shop/all:1" "oci:$work/arm:riscv" >"$work/three"
    jq -e "[.images[].platform] | sort == ([\"linux/$mine\", \"linux/arm64\", \"linux/riscv64\"] | sort)" "$work/three"
    jq -e ".mounted >= 4" "$work/three" || jq -e ".there >= 4" "$work/three"
'
check 'what is no index is refused with the names of its images' '
    umoci config --image "$work/arm:v1" --tag changed --config.label changed=yes --no-history
    must_fail slipway index create "$other/x:1" "oci:$work/arm:v1" "oci:$work/arm:changed" 2>"$work/err"
    expect "oci:$work/arm@sha256:.* and oci:$work/arm@sha256:.* are both for linux/arm64" "$work/err"
    skopeo --insecure-policy copy --quiet --format v2s2 --dest-tls-verify=false "oci:$work/arm:v1" "docker://$other/builds/docker:v1"
    must_fail slipway index create "$other/x:1" hello "$other/builds/docker:v1" 2>"$work/err"
    expect "OCI.s types or of Docker.s, not of both" "$work/err"
    must_fail skopeo inspect --tls-verify=false "docker://$other/x:1" 2>/dev/null
'
check 'what is nowhere, and where nothing can go, are told' '
    status=0; slipway copy "$other/nothing:v1" "oci:$work/x:1" 2>"$work/err" || status=$?
    same "$status" 4
    expect "there is no image" "$work/err"
    status=0; slipway copy "oci:$work/nowhere:1" "$other/x:1" 2>"$work/err" || status=$?
    same "$status" 4
    expect "is no image layout" "$work/err"
    [ ! -e "$work/nowhere" ]
    must_fail slipway copy hello other-app 2>"$work/err"
    expect "neither a repository nor a layout" "$work/err"
    must_fail slipway copy "oci:$work/arm" "$other/x:1" 2>"$work/err"
    expect "several images, and none is .latest." "$work/err"
    expect "riscv" "$work/err"
'

finish
