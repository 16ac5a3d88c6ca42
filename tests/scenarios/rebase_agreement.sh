#!/usr/bin/env bash
# One image on one new run image, by `slipway rebase` and by the reference lifecycle's rebaser: both
# make the same image of it, or both refuse. What differs on purpose stands in docs/rebase.md.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/run_images_lib.sh"

lifecycle=${SLIPWAY_REFERENCE_LIFECYCLE:-/usr/local/lib/lifecycle}/lifecycle
[ -x "$lifecycle" ] || skip_all 'the reference lifecycle is not here (tools/install-peers lifecycle)'

# A registry without logins, as another machine would have it.
plain=127.0.0.1:$(free_port)
mkdir "$work/plain"
cat >"$work/plain.yml" <<YAML
version: 0.1
log: {level: error}
storage: {filesystem: {rootdirectory: $work/plain}}
http: {addr: "$plain"}
YAML
env -u REGISTRY_AUTH_FILE docker-registry serve "$work/plain.yml" >"$work/plain.log" 2>&1 &
plain_pid=$!
trap 'kill "$plain_pid" 2>/dev/null || true; clean_up' EXIT
wait_until 20 'the registry answers' curl -fs -o /dev/null "http://$plain/v2/"

# ---------------------------------------------------------------- images

oci=application/vnd.oci.image.manifest.v1+json
fetch() { # REPOSITORY manifests|blobs TAG-OR-DIGEST
    curl -sSf -H "Accept: $oci" \
        -H 'Accept: application/vnd.docker.distribution.manifest.v2+json' "http://$plain/v2/$1/$2/$3"
}
configuration_of() { # REPOSITORY TAG
    fetch "$1" blobs "$(fetch "$1" manifests "$2" | jq -r .config.digest)"
}
put_blob() { # REPOSITORY FILE DIGEST
    local place
    place=$(curl -sSf -D - -o /dev/null -X POST "http://$plain/v2/$1/blobs/uploads/" | tr -d '\r' |
        awk 'tolower($1) == "location:" { print $2 }')
    curl -sSf -o /dev/null -X PUT --data-binary @"$2" -H 'Content-Type: application/octet-stream' \
        "$place&digest=$3"
}
put_manifest() { # REPOSITORY TAG FILE
    curl -sSf -o /dev/null -X PUT -H "Content-Type: $(jq -r ".mediaType // \"$oci\"" "$3")" \
        --data-binary @"$3" "http://$plain/v2/$1/manifests/$2"
}
# The image FROM as the tag TO of its repository, with its configuration changed.
change() { # REPOSITORY FROM TO JQ-FILTER
    local digest
    configuration_of "$1" "$2" | jq -c "$4" | tr -d '\n' >"$work/changed"
    digest=sha256:$(sha256sum "$work/changed" | cut -c 1-64)
    put_blob "$1" "$work/changed" "$digest"
    fetch "$1" manifests "$2" | jq -c --arg digest "$digest" --argjson size "$(stat -c %s "$work/changed")" \
        '.config.digest = $digest | .config.size = $size' >"$work/changed.manifest"
    put_manifest "$1" "$3" "$work/changed.manifest"
}
# A label's value is JSON in a JSON string.
metadata() { # JQ-FILTER
    echo ".config.Labels[\"io.buildpacks.lifecycle.metadata\"] |= (fromjson | $1 | tojson)"
}
label() { # NAME VALUE
    echo ".config.Labels[\"$1\"] = \"$2\""
}

# ---------------------------------------------------------------- both rebase

ours() { # IMAGE RUN-IMAGE [force]
    "$bin/slipway" --state "$work/nowhere" rebase "$1" --run "$2" ${3:+--force}
}
theirs() { # IMAGE RUN-IMAGE [force]
    env -i HOME="$HOME" PATH="$PATH" CNB_PLATFORM_API=0.15 CNB_NO_COLOR=true \
        CNB_REGISTRY_AUTH_KEYCHAIN_SKIP_AMAZON=true CNB_REGISTRY_AUTH_KEYCHAIN_SKIP_AZURE=true \
        "$lifecycle" rebase -uid "$(id -u)" -gid "$(id -g)" -report "$work/report.toml" \
        -run-image "$2" ${3:+-force} "$1"
}
# Each on a tag of its own, which begins as the image NAME of the repository `app`.
both() { # NAME
    fetch app manifests "$1" >"$work/begun"
    put_manifest app "$1.ours" "$work/begun"
    put_manifest app "$1.theirs" "$work/begun"
}
# All that an image says, with labels that hold JSON read, but for what differs always: see the last
# check for the history; an OCI manifest says here that it is one, and there that it is Docker's.
describe() { # TAG
    fetch app manifests "$1" >"$work/described"
    configuration_of app "$1" | jq -S --slurpfile manifest "$work/described" '
        .config.Labels |= with_entries(.value = (.value as $text | $text | fromjson? // $text))
        | .manifest = ($manifest[0] | del(.config, .mediaType))
        | del(.history)'
}
rebased_alike() { # NAME RUN-IMAGE [force]; $differs takes out what differs on purpose
    both "$1"
    ours "$plain/app:$1.ours" "$2" ${3:+force}
    theirs "$plain/app:$1.theirs" "$2" ${3:+force}
    must_fail same "$(fetch app manifests "$1.ours" | sha256sum)" "$(fetch app manifests "$1" | sha256sum)"
    describe "$1.ours" | jq -S "${differs:-.}" >"$work/$1.ours"
    describe "$1.theirs" | jq -S "${differs:-.}" >"$work/$1.theirs"
    diff -u "$work/$1.ours" "$work/$1.theirs"
}
refused_by_both() { # NAME RUN-IMAGE OUR-WORDS THEIR-WORDS [force]
    both "$1"
    for who in ours theirs; do
        must_fail "$who" "$plain/app:$1.$who" "$2" ${5:+force} >"$work/$who.said" 2>&1 ||
            { cat "$work/$who.said"; return 1; }
    done
    expect "$3" "$work/ours.said"
    expect "$4" "$work/theirs.said"
    for who in ours theirs; do
        same "$(fetch app manifests "$1.$who" | sha256sum)" "$(fetch app manifests "$1" | sha256sum)"
    done
}
needs_force() { # NAME RUN-IMAGE OUR-WORDS THEIR-WORDS
    refused_by_both "$@"
    rebased_alike "$1" "$2" force
}

# ---------------------------------------------------------------- what there is

start_server
use_tiny_stack
script_app hello <<'BUILD'
mkdir -p "$CNB_LAYERS_DIR/deps"
echo 'a dependency' >"$CNB_LAYERS_DIR/deps/file"
printf '[types]\nlaunch = true\n' >"$CNB_LAYERS_DIR/deps.toml"
BUILD
push hello >/dev/null
push_run_image patched
push_run_image foreign debian
copy() { # SOURCE TARGET [skopeo's options]
    skopeo --insecure-policy copy --quiet --src-tls-verify=false --dest-tls-verify=false "${@:3}" \
        "docker://$1" "docker://$plain/$2"
}
copy "$(image_reference hello)" app:made
copy "$registry/stacks/tiny:run" base:first
copy "$registry/stacks/tiny:patched" base:run # the tag that the app knows, with a new image
copy "$registry/stacks/tiny:patched" base:latest
copy "$registry/stacks/tiny:patched" mirror:run
copy "$registry/stacks/tiny:patched" stranger:run
copy "$registry/stacks/tiny:foreign" foreign:run
copy "$registry/stacks/tiny:patched" stacks/tiny:any
# As a lifecycle names a run image: with its registry and its tag.
named() { # NAME
    echo ".runImage.image = \"$1\" | .runImage.reference = \"$1\" | .stack.runImage = {image: \"$1\"}"
}
change app made named "$(metadata "$(named "$plain/base:run")")"


check 'the new image behind the tag of the run image' '
    rebased_alike named "$plain/base:run"
'
check 'no tag is latest' '
    change app made untagged "$(metadata "$(named "$plain/base")")"
    rebased_alike untagged "$plain/base:latest"
    rebased_alike untagged "$plain/base"
'
check 'a mirror of the run image' '
    change app made mirrored "$(metadata "$(named registry.example/base:run) | .runImage.mirrors = [\"$plain/mirror:run\"]")"
    rebased_alike mirrored "$plain/mirror:run"
    change app made stacked "$(metadata "$(named registry.example/base:run) | .stack.runImage.mirrors = [\"$plain/mirror:run\"]")"
    rebased_alike stacked "$plain/mirror:run"
'
check 'a run image of another name, or of another tag' '
    needs_force named "$plain/stranger:run" "neither that nor a mirror" "not found in existing run image metadata"
    needs_force named "$plain/base:latest" "neither that nor a mirror" "not found in existing run image metadata"
    needs_force mirrored "$plain/stranger:run" "neither that nor a mirror" "not found in existing run image metadata"
'
check 'the run image by its digest: its name counts, and by force it is recorded as it was given' '
    digest=$(skopeo inspect --tls-verify=false --format "{{.Digest}}" "docker://$plain/base:run")
    rebased_alike untagged "$plain/base@$digest"
    rebased_alike named "$plain/base:run@$digest"
    needs_force named "$plain/base@$digest" "neither that nor a mirror" "not found in existing run image metadata"
    needs_force untagged "$plain/base:run@$digest" "neither that nor a mirror" "not found in existing run image metadata"
'
check 'an image that is not rebasable' '
    change app named fixed "$(label io.buildpacks.rebasable false)"
    needs_force fixed "$plain/base:run" "not to be rebased" "not marked as rebasable"
'
check 'another distribution, and one that nobody knows' '
    change app made foreign "$(metadata "$(named "$plain/foreign:run")")"
    needs_force foreign "$plain/foreign:run" "the run image is for" "unable to satisfy target"
    change base run nameless "del(.config.Labels[\"io.buildpacks.base.distro.name\", \"io.buildpacks.base.distro.version\"])"
    change app made nameless "$(metadata "$(named "$plain/base:nameless")")"
    rebased_alike nameless "$plain/base:nameless"
    change app named unknown "del(.config.Labels[\"io.buildpacks.base.distro.name\", \"io.buildpacks.base.distro.version\"])"
    needs_force unknown "$plain/base:run" "the run image is for" "unable to satisfy target"
'
check 'another processor' '
    change base run riscv ".architecture = \"riscv64\""
    change app made moved "$(metadata "$(named "$plain/base:riscv")")"
    needs_force moved "$plain/base:riscv" "the run image is for" "unable to satisfy target"
    change app moved riscv ".architecture = \"riscv64\"" # neither is for this machine
    rebased_alike riscv "$plain/base:riscv"
'
check 'another variant, which the reference forgets' '
    change base run v3 ".variant = \"v3\" | .[\"os.features\"] = [\"x\"]"
    change app made v2 "$(metadata "$(named "$plain/base:v3")") | .variant = \"v2\""
    differs="del(.variant, .\"os.features\")"
    needs_force v2 "$plain/base:v3" "the run image is for" "unable to satisfy target"
    configuration_of app v2.ours | jq -e ".variant == \"v3\" and .\"os.features\" == [\"x\"]"
    configuration_of app v2.theirs | jq -e "has(\"variant\") or has(\"os.features\") | not"
'
check 'labels of the base, and what else a run image says' '
    change base run rich "$(label io.buildpacks.base.homepage there) | $(label io.buildpacks.stack.maintainer them) |
        $(label org.example.other one) | .config.Env += [\"MORE=1\"] | .config.User = \"7:7\" | .config.WorkingDir = \"/srv\" |
        .author = \"them\" | .created = \"2001-01-01T00:00:00Z\" | .config.ExposedPorts = {\"80/tcp\": {}}"
    change app made rich "$(metadata "$(named "$plain/base:rich")") | $(label io.buildpacks.base.released then) |
        $(label io.buildpacks.stack.gone yes) | $(label org.example.mine mine)"
    rebased_alike rich "$plain/base:rich"
'
check 'images of before targets go by stack and mixins, with force or without' '
    old=".config.Env |= map(if startswith(\"CNB_PLATFORM_API=\") then \"CNB_PLATFORM_API=0.11\" else . end)"
    change app named old "$old"
    rebased_alike old "$plain/base:run"
    change app old other-stack "$(label io.buildpacks.stack.id org.example.stack)"
    change app old no-stack "del(.config.Labels[\"io.buildpacks.stack.id\"])"
    change app old mixins "$(label io.buildpacks.stack.mixins "[\\\"run:a\\\", \\\"b\\\"]")"
    for force in "" force; do
        refused_by_both other-stack "$plain/base:run" "of the stack" "incompatible stack" $force
        refused_by_both no-stack "$plain/base:run" "names no stack" "stack not defined" $force
        refused_by_both mixins "$plain/base:run" "lacks the mixins a, b" "missing required mixin\(s\): a, b" $force
    done
    change base run has-mixins "$(label io.buildpacks.stack.mixins "[\\\"a\\\", \\\"run:b\\\", \\\"c\\\"]")"
    change app mixins mixed "$(metadata "$(named "$plain/base:has-mixins")")"
    rebased_alike mixed "$plain/base:has-mixins"
'
check 'an image that no buildpacks made, or without the layer that its label names' '
    change app named unlabelled "del(.config.Labels[\"io.buildpacks.lifecycle.metadata\"])"
    change app named topless "$(metadata ".runImage.topLayer = \"sha256:$(printf %064d 7)\"")"
    for force in "" force; do
        refused_by_both unlabelled "$plain/base:run" "buildpacks did not make it" "could not find base layer" $force
        refused_by_both topless "$plain/base:run" "which its label names" "could not find base layer" $force
    done
'
check 'the run image of an index is the one for the processor of the app, here' '
    slipway index create "$plain/base:all" "$plain/base:run" "$plain/base:riscv" >/dev/null
    change app riscv of-index "$(metadata "$(named "$plain/base:all")")"
    both of-index
    ours "$plain/app:of-index.ours" "$plain/base:all"
    configuration_of app of-index.ours | jq -e ".architecture == \"riscv64\""
    must_fail theirs "$plain/app:of-index.theirs" "$plain/base:all" >"$work/theirs.said" 2>&1
    expect "unable to satisfy target" "$work/theirs.said"
'
check 'what Slipway made takes any registry and tag of its run image here, and only force there' '
    both made
    ours "$plain/app:made.ours" "$plain/stacks/tiny:any"
    must_fail theirs "$plain/app:made.theirs" "$plain/stacks/tiny:any" >"$work/theirs.said" 2>&1
    expect "not found in existing run image metadata" "$work/theirs.said"
    differs="del(.config.Labels[\"io.buildpacks.lifecycle.metadata\"] | .runImage.image, .runImage.reference, .stack)"
    rebased_alike made "$plain/stacks/tiny:any" force
    digest=$(skopeo inspect --tls-verify=false --format "{{.Digest}}" "docker://$plain/stacks/tiny:any")
    describe made.ours | jq -c ".config.Labels[\"io.buildpacks.lifecycle.metadata\"] | [.runImage.image, .runImage.reference, .stack.runImage]" >"$work/names"
    same "$(cat "$work/names")" "[\"stacks/tiny\",\"stacks/tiny@$digest\",{\"image\":\"stacks/tiny\"}]"
'
check 'the history of the layers is kept, which the reference forgets' '
    describe_history() { configuration_of app "$1" | jq -c "[.history[] | select(.empty_layer != true) | .created_by]"; }
    { configuration_of base run | jq -c ".history[]"; configuration_of app made | jq -c ".history[]" | grep -v umoci; } |
        jq -s -c "[.[] | select(.empty_layer != true) | .created_by]" >"$work/history"
    same "$(describe_history made.ours)" "$(cat "$work/history")"
    same "$(configuration_of app made.theirs | jq -c "[.history[].created_by] | unique")" "[null]"
'
finish
