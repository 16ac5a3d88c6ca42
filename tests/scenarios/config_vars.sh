#!/usr/bin/env bash
# Config vars as the server's users set them, from `slipway config set` to the image: those that
# choose how an app is built, secrets of classic buildpacks, and a build without its cache.
. "$(dirname "$0")/lib.sh"

# Classic buildpacks of a few lines: each looks for the file of its name.
buildpacks=$work/buildpacks
mkdir "$buildpacks"
cp -a "$SLIPWAY_SOURCE_DIR/buildpacks/bundled/procfile" "$buildpacks/"
classic_pack() { # DIRECTORY NAME; bin/compile stands on standard input
    mkdir -p "$1/bin"
    printf '#!/bin/bash\n[ -f "$1/%s" ] && echo %s\n' "$2" "$2" >"$1/bin/detect"
    cat >"$1/bin/compile"
    chmod 755 "$1/bin/detect" "$1/bin/compile"
}
classic_pack "$buildpacks/tells" tells <<'PACK'
#!/bin/bash
echo "ENV_DIR holds: $(ls "$3" | tr '\n' ' ')"
echo "TOKEN has $(wc -c <"$3/TOKEN") bytes; in the environment: ${TOKEN:-nothing}"
echo "its hash is $(sha256sum <"$3/TOKEN" | cut -d ' ' -f 1)"
echo "said aloud: $(cat "$3/TOKEN") $(base64 -w 0 "$3/TOKEN")"
[ ! -f "$1/fails" ] || { echo "failed with $(cat "$3/TOKEN")" >&2; exit 3; }
PACK
classic_pack "$buildpacks/counted" counted <<'PACK'
#!/bin/bash
echo run >>"$2/runs"
echo "counted $(wc -l <"$2/runs") runs"
PACK
for name in tells counted slipway/procfile; do
    printf '[[order]]\n[[order.group]]\nid = "%s"\n' "$name"
done >"$buildpacks/order.toml"

serve=$work/serve
mkdir -p "$serve/files"
git init -q "$serve/git/chosen"
classic_pack "$serve/git/chosen" anything <<'PACK'
#!/bin/bash
echo 'built by the one that BUILDPACK_URL names'
PACK
git -C "$serve/git/chosen" add -A
git -C "$serve/git/chosen" commit -q -m first
python3 "$SLIPWAY_SOURCE_DIR/tests/scenarios/buildpack_server.py" "$serve" "$work/requests.log" \
    >"$work/port" 2>"$work/buildpack_server.log" &
peer=$!
trap 'kill "$peer" 2>/dev/null || true; clean_up' EXIT
wait_until 20 'the server of buildpacks answers' test -s "$work/port"
peer_host=127.0.0.1:$(cat "$work/port")

configure "buildpacks.allowed_private_hosts = [\"$peer_host\"]"
start_server
use_debian_stack

app_with() { # NAME FILE...
    local name=$1 file
    shift
    slipway apps create "$name" >/dev/null
    [ -f "$work/dev.key" ] || add_key dev >/dev/null
    new_repository "$name"
    for file in "$@"; do
        mkdir -p "$(dirname "$work/$name/$file")"
        touch "$work/$name/$file"
    done
}
unpack() { # NAME: the last image's root is $root
    rm -rf "$work/layout" "$work/bundle"
    skopeo --insecure-policy copy --quiet --src-tls-verify=false \
        "docker://$(image_reference "$1")" "oci:$work/layout:app"
    umoci unpack --image "$work/layout:app" "$work/bundle" >"$work/umoci.log" 2>&1
    root=$work/bundle/rootfs
}

# ---------------------------------------------------------------- variables that choose

app_with folders apps/web/Procfile apps/web/inside outside
echo 'web: exec sleep 9' >"$work/folders/apps/web/Procfile"
commit folders first
check 'with the config var PROJECT_DIR a folder is the app' '
    refused_push folders
    slipway config set folders PROJECT_DIR=apps/web
    push folders
    expect "The app is its folder apps/web" "$work/folders.push"
    unpack folders
    [ -e "$root/workspace/inside" ]
    [ -z "$(find "$root/workspace/" -name outside -o -name apps)" ]
'
check 'a PROJECT_DIR that is not there or leads out is refused by its name' '
    for wrong in apps/none ../elsewhere /etc; do
        slipway config set folders "PROJECT_DIR=$wrong"
        commit folders "$wrong"
        refused_push folders
        expect "PROJECT_DIR is .$wrong" "$work/folders.push"
    done
    slipway config unset folders PROJECT_DIR
    refused_push folders
    refute "PROJECT_DIR" "$work/folders.push"
'

app_with chosen anything Procfile
echo 'web: exec sleep 9' >"$work/chosen/Procfile"
commit chosen first
check 'the config var BUILDPACK_NAME names a bundled buildpack' '
    slipway config set chosen BUILDPACK_NAME=procfile
    push chosen
    expect "Buildpacks: from the variable BUILDPACK_NAME" "$work/chosen.push"
    inspect chosen --config | jq -er ".config.Labels[\"io.buildpacks.build.metadata\"] | fromjson |
        [.buildpacks[].id] == [\"slipway/procfile\"]"
    slipway config set chosen BUILDPACK_NAME=cobol
    commit chosen second
    refused_push chosen
    expect "slipway/cobol" "$work/chosen.push"
    expect "BUILDPACK_NAME" "$work/chosen.push"
'
check 'the config var BUILDPACK_URL wins over it, and the log names what was fetched' '
    slipway config set chosen "BUILDPACK_URL=http://$peer_host/git/chosen"
    commit chosen third
    push chosen
    expect "Buildpacks: from the variable BUILDPACK_URL" "$work/chosen.push"
    expect "built by the one that BUILDPACK_URL names" "$work/chosen.push"
    expect "http://$peer_host/git/chosen" "$work/chosen.push"
'
check 'one that cannot be fetched is refused by its address' '
    slipway config set chosen "BUILDPACK_URL=http://$peer_host/git/gone"
    commit chosen fourth
    refused_push chosen
    expect "http://$peer_host/git/gone" "$work/chosen.push"
    expect "BUILDPACK_URL" "$work/chosen.push"
'
check 'without them the server tries its own order again' '
    slipway config unset chosen BUILDPACK_URL BUILDPACK_NAME
    commit chosen fifth
    push chosen
    refute "Buildpacks: from" "$work/chosen.push"
'

# ---------------------------------------------------------------- secrets

token='s3cr3t-of+the/classic=kind'
{
    echo "$token"
    printf %s "$token" | base64 -w 0 | sed 's/=*$//; s/.$//'
    echo
    echo 'only-for-those-who-run-it'
} >"$work/forms"
absent() { # PATH...
    local found
    found=$(grep -rlaFf "$work/forms" "$@" || true)
    [ -z "$found" ] || fail "the secret is in: $found"
}
app_with sealed tells
commit sealed first
printf %s "$token" | slipway config set sealed TOKEN=- >/dev/null
printf %s only-for-those-who-run-it | slipway config set sealed --run-only RUN_ONLY=- >/dev/null
slipway config set sealed --build-only BUILD_ONLY=for-the-build >/dev/null

check 'a classic buildpack finds its secrets as files in ENV_DIR, and not in the environment' '
    push sealed
    expect "ENV_DIR holds: .*BUILD_ONLY .*TOKEN" "$work/sealed.push"
    refute "ENV_DIR holds: .*RUN_ONLY" "$work/sealed.push"
    expect "TOKEN has ${#token} bytes; in the environment: nothing" "$work/sealed.push"
    expect "its hash is $(printf %s "$token" | sha256sum | cut -d " " -f 1)" "$work/sealed.push"
'
check 'its log shows stars where it says them aloud, also on the way to its failure' '
    expect "said aloud: \*\*\* \*\*\*" "$work/sealed.push"
    absent "$work/sealed.push"
    touch "$work/sealed/fails"
    commit sealed fails
    refused_push sealed
    expect "failed with \*\*\*" "$work/sealed.push"
    absent "$work/sealed.push"
    slipway --json builds info "$(last_build sealed .build)" >"$work/info"
    absent "$work/info"
    git -C "$work/sealed" rm -q fails
'
check 'they are in no blob, layer or label of the image' '
    commit sealed third
    push sealed
    unpack sealed
    [ -d "$root/app" ]
    absent "$work/layout" "$work/bundle"
    mkdir "$work/layers"
    for blob in "$work"/layout/blobs/sha256/*; do
        mkdir "$work/layers/${blob##*/}"
        tar -xf "$blob" -C "$work/layers/${blob##*/}" 2>/dev/null || true
    done
    [ "$(find "$work/layers" -type f | wc -l)" -gt 100 ]
    absent "$work/layers"
    refute "BUILD_ONLY|for-the-build|RUN_ONLY" <(inspect sealed --config)
'
check 'they are in nothing that the server keeps' '
    absent "$state" "$work/server.log"
'

# ---------------------------------------------------------------- no cache

push_without_cache() { # NAME
    git -C "$work/$1" -c "core.sshCommand=$(ssh_command dev)" push -o no-cache slipway main >"$work/$1.push" 2>&1
}
app_with kept counted
commit kept first
check 'a push with -o no-cache finds no cache and leaves the one that there is as it was' '
    push kept
    expect "counted 1 runs" "$work/kept.push"
    commit kept second
    push kept
    expect "counted 2 runs" "$work/kept.push"
    commit kept third
    push_without_cache kept
    expect "counted 1 runs" "$work/kept.push"
    commit kept fourth
    push kept
    expect "counted 3 runs" "$work/kept.push"
'
finish
