#!/usr/bin/env bash
# A buildpack becomes a .cnb file, folders and that file become a builder, the builder builds apps.
. "$(dirname "$0")/lib.sh"

start_server
use_tiny_stack

packs=$work/packs
pack() { # NAME: bin/build is what stands on standard input; it always detects
    mkdir -p "$packs/$1/bin"
    printf '#!/bin/sh\nexit 0\n' >"$packs/$1/bin/detect"
    cat >"$packs/$1/bin/build"
    chmod 755 "$packs/$1/bin/detect" "$packs/$1/bin/build"
    cat >"$packs/$1/buildpack.toml" <<TOML
api = "0.12"
[buildpack]
id = "sample/$1"
version = "1.0.0"
homepage = "https://example.com/$1"
[[targets]]
os = "linux"
TOML
}
pack first <<'SH'
#!/bin/sh
echo "first was here" >>public/index.html
SH
pack second <<'SH'
#!/bin/sh
echo "second was here" >>public/index.html
SH
pack web <<'SH'
#!/bin/sh
printf '[[processes]]\ntype = "web"\ncommand = ["sh", "web.sh"]\ndefault = true\n' >"$CNB_LAYERS_DIR/launch.toml"
SH
mkdir -p "$packs/all"
cat >"$packs/all/buildpack.toml" <<'TOML'
api = "0.12"
[buildpack]
id = "sample/all"
version = "2.0.0"
[[order]]
[[order.group]]
id = "sample/first"
version = "1.0.0"
[[order.group]]
id = "sample/second"
version = "1.0.0"
optional = true
TOML
cat >"$packs/package.toml" <<'TOML'
[buildpack]
uri = "all"
[[dependencies]]
uri = "first"
[[dependencies]]
uri = "second"
TOML

builder_toml() {
    cat <<TOML
description = "A builder of the scenario"

[[buildpacks]]
id = "sample/first"
version = "1.0.0"
uri = "packs/first"

[[buildpacks]]
uri = "packs/web"

[[buildpacks]]
uri = "second.cnb"

[[buildpacks]]
uri = "packs/all"

[[order]]
[[order.group]]
id = "sample/all"
version = "2.0.0"
[[order.group]]
id = "sample/web"

[build]
image = "$registry/stacks/tiny:build"

[[build.env]]
name = "GREETING"
value = "hello"

[[run.images]]
image = "$registry/stacks/tiny:run"
TOML
}
builder_toml >"$work/builder.toml"
builder=$registry/builders/sample:1
inspect_reference() { # REFERENCE [skopeo's options]
    local reference=$1
    shift
    skopeo inspect --tls-verify=false "$@" "docker://$reference"
}
plain_app() { # NAME
    slipway apps create "$1"
    [ -f "$work/dev.key" ] || add_key dev
    new_repository "$1"
    mkdir -p "$work/$1/public"
    echo "hello from $1" >"$work/$1/public/index.html"
    printf 'exec httpd -f -p "$PORT" -h /workspace/public\n' >"$work/$1/web.sh"
    commit "$1" first
}

check 'a folder becomes a .cnb file that other tools read as an image' '
    slipway buildpack package "$packs/second" --output "$work/second.cnb" | tee "$work/out"
    digest=$(grep -oE "sha256:[0-9a-f]{64}" "$work/out" | tail -n 1)
    same "$(skopeo inspect --format "{{.Digest}}" "oci-archive:$work/second.cnb")" "$digest"
    skopeo inspect --config "oci-archive:$work/second.cnb" >"$work/config"
    jq -e ".config.Labels[\"io.buildpacks.buildpackage.metadata\"] | fromjson | .id == \"sample/second\" and .stacks[0].id == \"*\"" "$work/config"
    tar -tf "$work/second.cnb" | grep -qx oci-layout
'
check 'the same folder gives the same file' '
    cp -a "$packs/second" "$work/elsewhere"
    touch "$work/elsewhere/bin/build"
    chmod -R go-rwx "$work/elsewhere"
    slipway buildpack package "$work/elsewhere" --output "$work/again.cnb"
    cmp "$work/second.cnb" "$work/again.cnb"
'
check 'a .cnb file with absolute names, as pack writes them, is read and packaged again unchanged' '
    mkdir "$work/unpacked"
    tar -xf "$work/second.cnb" -C "$work/unpacked"
    tar -C "$work/unpacked" -cPf "$work/absolute.cnb" --transform "s|^|/|" blobs index.json oci-layout
    tar -tPf "$work/absolute.cnb" | grep -qx /oci-layout
    printf "[buildpack]\nuri = \"absolute.cnb\"\n" >"$work/package.toml"
    slipway buildpack package "$work/third.cnb" --config "$work/package.toml"
    cmp "$work/second.cnb" "$work/third.cnb"
    slipway buildpack inspect "$work/absolute.cnb"
'
check 'package.toml becomes an image in a registry, with the digest that is printed' '
    slipway --json buildpack package "$registry/packages/all:2" --config "$packs/package.toml" --publish >"$work/made"
    same "$(jq -r .digest "$work/made")" \
        "sha256:$(inspect_reference "$registry/packages/all:2" --raw | sha256sum | cut -d " " -f 1)"
    inspect_reference "$registry/packages/all:2" --config >"$work/config"
    same "$(jq ".rootfs.diff_ids | length" "$work/config")" 3
    jq -e ".config.Labels[\"io.buildpacks.buildpack.layers\"] | fromjson | .[\"sample/all\"][\"2.0.0\"].order[0].group | length == 2" "$work/config"
'
check 'what a layer holds belongs to root, is dated 1980 and may still be run' '
    skopeo --insecure-policy copy --quiet "oci-archive:$work/second.cnb" "oci:$work/cnb:x"
    digest=$(jq -r ".layers[0].digest" "$work/cnb/blobs/sha256/$(jq -r ".manifests[0].digest" "$work/cnb/index.json" | cut -d : -f 2)")
    TZ=UTC tar --numeric-owner --full-time -tvzf "$work/cnb/blobs/sha256/${digest#sha256:}" >"$work/list"
    expect "^-rwxr-xr-x 0/0 .* 1980-01-01 00:00:01 /cnb/buildpacks/sample_second/1.0.0/bin/build$" "$work/list"
    expect "^-rw-r--r-- 0/0 .* 1980-01-01 00:00:01 /cnb/buildpacks/sample_second/1.0.0/buildpack.toml$" "$work/list"
    refute " [1-9][0-9]*/" "$work/list"
'
check 'a buildpackage is inspected in a registry, a file and a folder alike' '
    slipway buildpack inspect "$registry/packages/all:2" | tee "$work/out"
    expect "^Buildpack: +sample/all@2.0.0$" "$work/out"
    expect "sample/second +1.0.0 +0.12 +linux +https://example.com/second" "$work/out"
    expect "^      +sample/second@1.0.0 \(optional\)" "$work/out"
    slipway --json buildpack inspect "$work/second.cnb" | jq -S "del(.digest)" >"$work/of-file"
    slipway --json buildpack inspect "$packs/second" | jq -S . >"$work/of-folder"
    cmp "$work/of-file" "$work/of-folder"
'
check 'builder create makes an image of folders, a .cnb file and a composite' '
    slipway builder create "$builder" --config "$work/builder.toml" | tee "$work/out"
    expect "builders/sample@sha256:[0-9a-f]{64}" "$work/out"
    same "$(grep -oE "sha256:[0-9a-f]{64}" "$work/out" | tail -n 1)" \
        "sha256:$(inspect_reference "$builder" --raw | sha256sum | cut -d " " -f 1)"
    inspect_reference "$builder" --config >"$work/config"
    jq -e ".config.Labels[\"io.buildpacks.buildpack.order\"] | fromjson | .[0].group[1] == {\"id\":\"sample/web\",\"version\":\"1.0.0\"}" "$work/config"
    jq -e ".config.Labels[\"io.buildpacks.builder.metadata\"] | fromjson | .stack.runImage.image | endswith(\"stacks/tiny:run\")" "$work/config"
    jq -e ".config.Env | index(\"CNB_USER_ID=1000\")" "$work/config"
'
check 'the builder holds the files that the platform specification names' '
    skopeo --insecure-policy copy --quiet --src-tls-verify=false "docker://$builder" "oci:$work/layout:b"
    umoci unpack --image "$work/layout:b" "$work/bundle"
    root=$work/bundle/rootfs
    expect "sample/all" "$root/cnb/order.toml"
    expect "stacks/tiny:run" "$root/cnb/run.toml"
    expect "run-image" "$root/cnb/stack.toml"
    same "$(cat "$root/cnb/build-config/env/GREETING")" hello
    [ -x "$root/cnb/buildpacks/sample_second/1.0.0/bin/build" ]
    [ -f "$root/cnb/buildpacks/sample_all/2.0.0/buildpack.toml" ]
    same "$(stat -c %u:%g "$root/workspace" "$root/layers" | uniq)" 1000:1000
    same "$(stat -c %u:%g "$root/platform/env")" 0:0
    rm -rf "$work/layout" "$work/bundle"
'
check 'made again from the same files, the builder is the same' '
    before=$(inspect_reference "$builder" --raw | sha256sum)
    slipway builder create "$registry/builders/again:1" --config "$work/builder.toml" --publish
    same "$(inspect_reference "$registry/builders/again:1" --raw | sha256sum)" "$before"
'
check 'builder inspect shows buildpacks, run image and the order as a tree' '
    slipway builder inspect "$builder" | tee "$work/out"
    expect "^Description: +A builder of the scenario$" "$work/out"
    expect "^Run images: +$registry/stacks/tiny:run$" "$work/out"
    expect "^    sample/all@2.0.0$" "$work/out"
    expect "^        sample/second@1.0.0 \(optional\)$" "$work/out"
    slipway --json builder inspect "$builder" >"$work/json"
    jq -e ".order[0].group[0].order[0].group[0].id == \"sample/first\"" "$work/json"
    jq -e ".stack == \"io.slipway.test\" and (.digest | startswith(\"sha256:\"))" "$work/json"
    must_fail slipway builder inspect "$registry/stacks/tiny:run"
'
check 'what is wrong in builder.toml is named by its line, and nothing is pushed' '
    { builder_toml; printf "[[order]]\n[[order.group]]\nid = \"sample/none\"\n"; } >"$work/wrong.toml"
    line=$(grep -n "sample/none" "$work/wrong.toml" | cut -d : -f 1)
    must_fail slipway builder create "$registry/builders/wrong:1" --config "$work/wrong.toml" >"$work/out" 2>&1
    expect "wrong.toml, line ($((line - 1))|$line): there is no buildpack .sample/none" "$work/out"
    { builder_toml; printf "[[extensions]]\nid = \"a/b\"\n"; } >"$work/wrong.toml"
    must_fail slipway builder create "$registry/builders/wrong:1" --config "$work/wrong.toml" >"$work/out" 2>&1
    expect "extensions are image extensions" "$work/out"
    sed "s|uri = .packs/web.|uri = \"packs/gone\"|" "$work/builder.toml" >"$work/wrong.toml"
    must_fail slipway builder create "$registry/builders/wrong:1" --config "$work/wrong.toml" >"$work/out" 2>&1
    expect "packs/gone|\"gone\"" "$work/out"
    must_fail inspect_reference "$registry/builders/wrong:1" --raw
'
check 'an image that is no builder is not used as one' '
    must_fail slipway builder use "$registry/stacks/tiny:build" >"$work/out" 2>&1
    expect "is no builder" "$work/out"
'
check 'an app pushed to a builder is built by its order, and its image answers' '
    plain_app shop
    slipway builder use "$builder" --app shop | tee "$work/out"
    expect "Builds of shop use it" "$work/out"
    push shop
    expect "sha256:[0-9a-f]{64}" "$work/shop.push"
    inspect shop --config >"$work/config"
    same "$(jq -r ".config.Labels[\"io.buildpacks.build.metadata\"] | fromjson | [.buildpacks[] | .id] | join(\" \")" "$work/config")" \
        "sample/first sample/second sample/web"
    answers shop "hello from shop"
    expect "first was here" "$work/answer"
    expect "second was here" "$work/answer"
'
check 'the builder is for that app alone, and the stack names it by its digest' '
    digest=sha256:$(inspect_reference "$builder" --raw | sha256sum | cut -d " " -f 1)
    slipway --json stack list >"$work/json"
    same "$(jq -r ".stacks[] | select(.current) | .name" "$work/json")" tiny
    jq -e --arg d "$digest" ".stacks[] | select(.name == \"builders/sample:1\") | .build | endswith(\$d)" "$work/json"
    plain_app blog
    refused_push blog
'
check 'an app goes back to the stack of the server' '
    must_fail slipway builder use --default
    slipway builder use --default --app shop
    commit shop again
    refused_push shop
'
check 'a builder used without --app is for all apps' '
    slipway builder use "$builder"
    push blog
    answers blog "second was here"
'

finish
