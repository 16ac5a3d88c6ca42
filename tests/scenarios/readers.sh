#!/usr/bin/env bash
# Every kind of image that we make, read by those who have to: skopeo, umoci, podman, buildah and
# Docker each get it, have the same files and the same configuration, and start its process.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/engines_lib.sh"
. "$(dirname "$0")/run_images_lib.sh"
trap 'stop_docker; clean_up' EXIT
# podman and buildah make a name of a layout's path, and a name has no capitals: layouts are named
# from here.
cd "$work" || exit

# The script of the fixtures, and a classic buildpack that the tiny stack's bash can run.
buildpacks=$work/buildpacks
cp -a "$fixtures/buildpacks" "$buildpacks"
mkdir -p "$buildpacks/kept/bin"
printf '#!/bin/bash\n[ -f "$1/classic.txt" ] && echo Kept\n' >"$buildpacks/kept/bin/detect"
cat >"$buildpacks/kept/bin/compile" <<'PACK'
#!/bin/bash
mkdir -p "$1/.profile.d"
echo 'export FROM_PROFILE="it is sourced"' >"$1/.profile.d/kept.sh"
PACK
cat >"$buildpacks/kept/bin/release" <<'PACK'
#!/bin/bash
printf -- '---\ndefault_process_types:\n  web: exec sh web.sh\n'
PACK
chmod 755 "$buildpacks"/kept/bin/*
printf '[[order]]\n[[order.group]]\nid = "kept"\n' | cat - "$fixtures/buildpacks/order.toml" >"$buildpacks/order.toml"

start_server
use_tiny_stack

# Files, links, a hard link, modes, names that are not ASCII, an empty folder, and a layer beside
# the app whose files hide some of the stack.
script_app native <<'BUILD'
mkdir -p "public/a folder/empty" "$CNB_LAYERS_DIR/tools/bin"
echo 'grüße' >"public/a folder/ünïcode"
ln -s ../index.html "public/a folder/link"
ln public/index.html public/same
printf '#!/bin/sh\necho "a tool says $1"\n' >"$CNB_LAYERS_DIR/tools/bin/say"
chmod 755 "$CNB_LAYERS_DIR/tools/bin/say"
dd if=/dev/zero of=public/zeroes bs=4096 count=40 2>/dev/null
name=public/long; for i in 1 2 3 4 5 6 7 8 9 10 11 12; do name=$name/a-folder-with-a-long-name; done
mkdir -p "$name"; echo deep >"$name/file"
printf '[types]\nlaunch = true\n' >"$CNB_LAYERS_DIR/tools.toml"
BUILD
push native >/dev/null
new_repository classic
cp -a "$work/native/public" "$work/classic/"
echo >"$work/classic/classic.txt"
printf 'exec httpd -f -p "$PORT" -h /app/public\n' >"$work/classic/web.sh"
slipway apps create classic >/dev/null
commit classic first
push classic >/dev/null

# What each reader gets is compared with what stands in the store: its configuration by the
# digests, its files by GNU tar, which knows no images.
kinds=()
kind() { # NAME SOURCE (docker://... or oci:...) PAGE-OF-THE-PROCESS
    kinds+=("$1")
    sources[$1]=$2
    pages[$1]=$3
}
declare -A sources pages
kind native "docker://$(image_reference native)" 'hello from native'
kind classic "docker://$(image_reference classic)" 'hello from native'
slipway build "$work/native" --compression zstd --publish "$registry/readers/zstd:latest" >"$work/zstd.build" 2>&1
kind zstd "docker://$registry/readers/zstd:latest" 'hello from native'
for compression in gzip zstd none; do
    slipway build "$work/native" --compression "$compression" --output "oci:layout:$compression" >"$work/layout.build" 2>&1
    kind "layout-$compression" "oci:layout:$compression" 'hello from native'
done
# This machine's image under one name with another's, in a registry and in a layout.
umoci config --image "$work/layout:gzip" --tag other --architecture riscv64 --created 1980-01-01T00:00:01Z
slipway index create "$registry/readers/index:1" native "oci:layout:other" >"$work/index.digest"
kind index "docker://$registry/readers/index:1" 'hello from native'
slipway copy --all "$registry/readers/index:1" "oci:layout:index" >/dev/null
kind layout-index "oci:layout:index" 'hello from native'

# An app on another run image, without a build.
script_app rebased <<<'echo "was built"'
push rebased >/dev/null
push_run_image patched
slipway rebase rebased --run "$registry/stacks/tiny:patched" >"$work/rebase"
kind rebased "docker://$(slipway --json apps info rebased | jq -r '(.image | sub("[@].*$"; "") | sub(":[^:/]*$"; "")) + "@" + .digest')" 'hello from rebased'

# The layers one after another by GNU tar: our images have no whiteouts over what a layer below has.
unpack_by_hand() { # KIND DIRECTORY
    local source=${sources[$1]} layer
    skopeo --insecure-policy copy --quiet --src-tls-verify=false "$source" "dir:$work/by-hand"
    mkdir -p "$2"
    jq -r '.layers[].digest' "$work/by-hand/manifest.json" | while read -r layer; do
        # umoci ends a layer that it inserts, as a run image's, with its last byte, and tar wants whole
        # blocks.
        { plain "$work/by-hand/${layer#sha256:}" && head -c 2048 /dev/zero; } |
            tar -x --numeric-owner --same-owner --preserve-permissions -C "$2" -f -
    done
    jq -r .config.digest "$work/by-hand/manifest.json" | {
        read -r layer
        jq '.config' "$work/by-hand/${layer#sha256:}"
    } >"$work/$1.wanted.config"
    canonical "$work/$1.wanted.config" >"$work/$1.config"
    files_of "$2" >"$work/$1.files"
    rm -rf "$work/by-hand"
}
plain() { # a layer of any kind
    case $(od -An -tx1 -N4 "$1" | tr -d ' ') in
        1f8b*) gzip -dc "$1" ;;
        28b52ffd) zstd -dcq "$1" ;;
        *) cat "$1" ;;
    esac
}
for name in "${kinds[@]}"; do
    check "$name: GNU tar unpacks its layers" '
        unpack_by_hand "$name" "$work/by-hand-root"
        rm -rf "$work/by-hand-root"
        [ "$(wc -l <"$work/$name.files")" -gt 300 ]
        jq -e ".Entrypoint and .Env and .Labels" "$work/$name.config"
    '
done
check 'they are one app, however they are compressed and wherever they lie' '
    for name in zstd layout-gzip layout-zstd layout-none index layout-index; do
        cmp "$work/native.files" "$work/$name.files"
        cmp "$work/native.config" "$work/$name.config"
    done
    jq -e ".manifests | length == 2" <(skopeo inspect --raw --tls-verify=false "${sources[index]}")
    same "$(skopeo inspect --raw "${sources[layout-index]}" | sha256sum | cut -d " " -f 1)" \
        "$(tail -n 1 "$work/index.digest" | cut -d : -f 2)"
'

check 'the rebased image is on its new run image' '
    expect "rebased +sha256:" "$work/rebase"
    expect "etc/run-image" "$work/rebased.files"
    refute "etc/run-image" "$work/native.files"
    must_fail same "${sources[rebased]##*@}" "$(pushed_digest rebased)"
'

same_image() { # KIND READER: what the reader has is in $work/seen.files and $work/seen.config
    diff "$work/$1.files" "$work/seen.files"
    diff "$work/$1.config" "$work/seen.config"
    echo "$2 read $1: $(wc -l <"$work/$1.files") lines of files"
}

for name in "${kinds[@]}"; do
    if [[ $name == *zstd ]]; then
        check "$name: skopeo copies it, and umoci says that it does not read zstd" '
            must_fail with_umoci "${sources[$name]}"
            expect "not correct mediatype: .*tar\+zstd" "$work/umoci.log"
            cmp "$work/seen.config" "$work/$name.config"
        '
    else check "$name: skopeo copies it, and umoci unpacks and runs it" '
        with_umoci "${sources[$name]}"
        same_image "$name" umoci
        page_of umoci "${pages[$name]}"
    '
    fi
    check "$name: podman pulls it, has the same files and configuration, and starts its process" '
        with_podman "${sources[$name]}"
        same_image "$name" podman
        page_of podman "${pages[$name]}"
    '
    check "$name: buildah pulls it, has the same files and configuration, and runs a command" '
        with_buildah "${sources[$name]}"
        same_image "$name" buildah
        expect "^1000$" "$work/said"
    '
done

if start_docker; then
    for name in "${kinds[@]}"; do
        # A layout is no place that Docker pulls from: there is `slipway copy`.
        reference=${sources[$name]#docker://}
        if [[ $reference == oci:* ]]; then
            slipway copy "$reference" "$registry/readers/docker:$name" >/dev/null
            reference=$registry/readers/docker:$name
        fi
        check "$name: Docker pulls it, has the same files and configuration, and starts its process" '
            with_docker "$reference"
            same_image "$name" docker
            page_of docker "${pages[$name]}"
        '
    done
    stop_docker
else
    tail -n 3 "$work/docker.log" 2>/dev/null || true
    echo "skipped: no Docker engine can be started here"
fi

finish
