#!/usr/bin/env bash
# What a builder image brings besides its buildpacks: image extensions, as far as they switch the run
# image, and the operator's variables.
. "$(dirname "$0")/lib.sh"

buildpacks=$work/buildpacks
# program FILE: what stands on standard input.
program() {
    mkdir -p "$(dirname "$buildpacks/$1")"
    { echo '#!/bin/sh' && cat; } >"$buildpacks/$1"
    chmod 755 "$buildpacks/$1"
}
# descriptor FOLDER KIND ID [TOML]
descriptor() {
    mkdir -p "$buildpacks/$1"
    printf 'api = "0.10"\n[%s]\nid = "%s"\nversion = "1.0.0"\n%s\n' "$2" "$3" "${4:-}" \
        >"$buildpacks/$1/$2.toml"
}
provides() { # NAME: the plan of bin/detect
    printf "printf '[[provides]]\\\\nname = \"%s\"\\\\n' >\"\$CNB_BUILD_PLAN_PATH\"\n" "$1"
}
# An app says by files what happens: switch, install, odd.
descriptor switch extension test/switch
program switch/bin/detect <<<"[ -e switch ] || exit 100
$(provides other-base)"
program switch/bin/generate <<'SH'
echo "generates in $PWD for $CNB_EXTENSION_DIR, met: $(grep -c other-base "$CNB_BP_PLAN_PATH")"
[ -e kept ] && image='${base_image}' || image=$(cat switch)
printf 'ARG base_image\nFROM %s\n' "$image" >"$CNB_OUTPUT_DIR/run.Dockerfile"
SH
descriptor install extension test/install
program install/bin/detect <<<'[ -e install ] || exit 100'
mkdir "$buildpacks/install/generate"
printf 'ARG base_image\nFROM ${base_image}\nRUN install curl\n' \
    >"$buildpacks/install/generate/run.Dockerfile"
descriptor odd extension test/odd
program odd/bin/detect <<<'[ -e odd ] || exit 100; printf "[[requires]]\nname = \"x\"\n" >"$CNB_BUILD_PLAN_PATH"'

descriptor app buildpack test/app
program app/bin/detect <<<'[ ! -e switch ] || printf "[[requires]]\nname = \"other-base\"\n" >"$CNB_BUILD_PLAN_PATH"'
program app/bin/build <<'SH'
echo "target $CNB_TARGET_DISTRO_NAME, plan: $(cat "$CNB_BP_PLAN_PATH")."
env | sed 's/^/app sees /'
printf '[[processes]]\ntype = "web"\ncommand = ["true"]\n' >"$CNB_LAYERS_DIR/launch.toml"
SH
descriptor clear buildpack test/clear 'clear-env = true'
program clear/bin/detect <<<'exit 0'
program clear/bin/build <<<"env | sed 's/^/clear sees /'"
cat >"$buildpacks/order.toml" <<'TOML'
[[order]]
[[order.group]]
id = "test/app"
[[order.group]]
id = "test/clear"
[[order-extensions]]
[[order-extensions.group]]
id = "test/switch"
[[order-extensions.group]]
id = "test/install"
[[order-extensions.group]]
id = "test/odd"
TOML
start_server
use_tiny_stack

# Two more images, made from those of the stack.
cp -a "$shared/tiny" "$work/images"
umoci config --image "$work/images:run" --tag other --config.label io.buildpacks.base.distro.name=other
# umoci writes no padding after the last file; a folder at the end needs none.
mkdir -p "$work/env/zz"
printf operator >"$work/env/OPERATORS"
printf operator >"$work/env/GIVEN.override"
printf ,operator >"$work/env/LIST.append"
umoci tag --image "$work/images:build" configured
umoci insert --image "$work/images:configured" "$work/env" /cnb/build-config/env
for image in other configured; do
    skopeo --insecure-policy copy --quiet --dest-tls-verify=false \
        "oci:$work/images:$image" "docker://$registry/stacks/tiny:$image"
done

app() { # FILE=CONTENT...
    rm -rf "$work/app"
    mkdir "$work/app"
    local file
    for file in "$@"; do echo "${file#*=}" >"$work/app/${file%%=*}"; done
}
build() { # slipway's options
    local status=0
    slipway build "$work/app" --output "oci:$work/built" "$@" >"$work/said" 2>&1 || status=$?
    sed -i 's/^ *//' "$work/said"
    cat "$work/said"
    return "$status"
}
run_image() {
    jq -r '.manifests[0].digest' "$work/built/index.json" >"$work/digest"
    skopeo inspect --config "oci:$work/built" |
        jq -r '.config.Labels["io.buildpacks.lifecycle.metadata"] | fromjson | .runImage.topLayer'
    skopeo inspect --config "oci:$work/built" | jq -r '.config.Labels["io.buildpacks.base.distro.name"]'
}

check 'extensions of which none passes change nothing' '
    app readme=text
    build
    refute "Generating|test/(switch|install|odd)" "$work/said"
    expect "^target busybox" "$work/said"
    expect "^busybox$" <(run_image)
'
check 'an extension that passes switches the run image, and meets the plan that asks for it' '
    app "switch=$registry/stacks/tiny:other"
    build
    expect "^generates in /workspace for /cnb/extensions/test_switch/1.0.0, met: 1$" "$work/said"
    expect "^The run image is $registry/stacks/tiny@sha256:[0-9a-f]{64}$" "$work/said"
    expect "^target other, plan: \.$" "$work/said"
    expect "^other$" <(run_image)
'
check 'FROM ${base_image} leaves the run image as it is' '
    app switch=never kept=yes
    build
    expect "^Generating with test/switch 1.0.0" <(sed "s/^-*> *//" "$work/said")
    refute "The run image is" "$work/said"
    expect "^busybox$" <(run_image)
'
check 'a run image that is not there is told with the extension that chose it' '
    app "switch=$registry/stacks/tiny:missing"
    must_fail build
    expect "the run image .*tiny:missing. that the image extension test/switch@1.0.0 chose cannot be used" "$work/said"
'
check 'an extension that would change an image is refused with its name and the line' '
    app install=yes
    must_fail build
    expect "the image extension test/install@1.0.0: run.Dockerfile, line 3: .RUN install curl. is not applied here" "$work/said"
'
check 'an extension that requires something is refused by name' '
    app odd=yes
    must_fail build
    expect "test/odd@1.0.0 requires .x." "$work/said"
'
check 'slipway detect names the extensions that pass and runs none' '
    app switch=anything
    slipway --json detect "$work/app" >"$work/record"
    jq -e "[.chosen[] | [.id, .extension]] == [[\"test/switch\", true], [\"test/app\", null], [\"test/clear\", null]]" "$work/record"
'
check 'variables of the operator reach every buildpack, over those of the user' '
    app readme=text
    build --build-image "$registry/stacks/tiny:configured" --env GIVEN=user --env OPERATORS=user --env LIST=user
    for line in "app sees OPERATORS=user" "app sees GIVEN=operator" "app sees LIST=user,operator" \
        "clear sees OPERATORS=operator" "clear sees GIVEN=operator" "clear sees LIST=,operator"; do
        expect "^$line$" "$work/said"
    done
'
finish
