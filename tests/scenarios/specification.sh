#!/usr/bin/env bash
# The sentences of the Buildpack and Platform specifications that can be seen from outside, on small
# shell buildpacks that say what they were given: docs/buildpack-compatibility.md names the checks.
. "$(dirname "$0")/lib.sh"

buildpacks=$fixtures/buildpacks-spec
start_server
use_tiny_stack

label() { # NAME LABEL
    inspect "$1" | jq -r ".Labels[\"$2\"]"
}
# The image with its layers' entries as JSON, in $work/NAME.json.
record() { # NAME
    rm -rf "$work/layout"
    skopeo --insecure-policy copy --quiet --src-tls-verify=false \
        "docker://$(image_reference "$1")" "oci:$work/layout:app"
    skopeo --insecure-policy copy --quiet --src-tls-verify=false \
        "docker://$registry/stacks/tiny:run" "oci:$work/layout:run"
    python3 "$SLIPWAY_SOURCE_DIR/tests/support/compare_images.py" record \
        "$work/layout" app run "$registry" >"$work/$1.json"
}
names_in() { # NAME LAYER
    jq -r --arg layer "$2" '.layers[$layer].entries[].name' "$work/$1.json"
}
text_of() { # NAME LAYER ENTRY
    jq -r --arg layer "$2" --arg entry "$3" \
        '.layers[$layer].entries[] | select(.name == $entry) | .text' "$work/$1.json"
}

# What the buildpacks said, without what git puts around it, in $out.
out=$work/said
build() {
    local status=0
    push spec || status=$?
    sed 's/^remote: *//; s/ *$//' "$work/spec.push" >"$out"
    return "$status"
}

new_app spec specification
check 'buildpacks build one after another, and the image is published' '
    build
    record spec
'

check 'bin/build is started in the app with its paths as arguments and variables' '
    expect "first runs /cnb/buildpacks/spec_first/1.0.0/bin/build in /workspace with /layers/spec_first /platform /[^ ]*plan.toml$" "$out"
    expect "first sees CNB_LAYERS_DIR=/layers/spec_first$" "$out"
    expect "first sees CNB_PLATFORM_DIR=/platform$" "$out"
    expect "first sees CNB_BUILDPACK_DIR=/cnb/buildpacks/spec_first/1.0.0$" "$out"
    expect "first sees CNB_BP_PLAN_PATH=/" "$out"
    expect "first sees HOME=/home/cnb$" "$out"
'
check 'the run image is the target; each API sees the variables that it knows' '
    expect "first sees CNB_TARGET_OS=linux$" "$out"
    expect "first sees CNB_TARGET_ARCH=[a-z0-9]+$" "$out"
    expect "first sees CNB_TARGET_DISTRO_NAME=busybox$" "$out"
    expect "first sees CNB_TARGET_DISTRO_VERSION=1$" "$out"
    expect "first sees CNB_EXEC_ENV=production$" "$out"
    expect "clear sees CNB_TARGET_OS=linux$" "$out"
    refute "(second|old) sees CNB_TARGET" "$out"
    refute "(second|old|clear) sees CNB_EXEC_ENV" "$out"
    refute "old sees CNB_(PLATFORM_DIR|LAYERS_DIR|BP_PLAN_PATH)" "$out"
    expect "old runs with /layers/spec_old /platform /" "$out"
'
check 'nothing but what the specification names comes from the build image' '
    refute "sees CNB_(USER|GROUP)_ID" "$out"
    expect "first sees CNB_STACK_ID=io.slipway.test$" "$out"
'
check 'a plan has every entry of its names; what stays unmet goes to the next provider, the rest to nobody' '
    same "$(grep -cE "first plans +name = \"tool\"" "$out")" 2
    same "$(grep -cE "first plans +name = \"late\"" "$out")" 1
    expect "first plans +version = \"1\"" "$out"
    expect "first plans +version = \"2\"" "$out"
    expect "second plans +name = \"late\"" "$out"
    refute "second plans +name = \"tool\"" "$out"
'
check 'build layers are in the paths of later buildpacks, and only theirs' '
    expect "second sees PATH=/layers/spec_first/bl/bin:/layers/spec_first/bcl/bin:/layers/spec_first/bc/bin:/layers/spec_first/b/bin:/bin:/usr/bin$" "$out"
    expect "second sees LD_LIBRARY_PATH=/layers/spec_first/bc/lib$" "$out"
    expect "second sees LIBRARY_PATH=/layers/spec_first/bc/lib$" "$out"
    expect "second sees CPATH=/layers/spec_first/bc/include$" "$out"
    expect "second sees PKG_CONFIG_PATH=/layers/spec_first/bc/pkgconfig$" "$out"
    expect "first sees PATH=/bin:/usr/bin$" "$out"
'
check 'files of env and env.build change variables by their suffix, env.launch does not' '
    expect "second sees LIST=zeroone,two$" "$out"
    expect "second sees NAME=later$" "$out"
    expect "second sees DEFAULT=default$" "$out"
    expect "second sees LITERAL=.HOME .id.$" "$out"
    refute "second sees (ONLY_LAUNCH|UNKNOWN)" "$out"
'
check 'a layer of no type is renamed after its buildpack' '
    expect "second finds none.ignore$" "$out"
    refute "second finds none$" "$out"
'
check 'launch layers are in the image, by name, with their metadata in the label; others are not' '
    same "$(jq -r ".history[].created_by" "$work/spec.json" | grep -oE "^Layer: .[a-z]+" | tr -d "\n")" \
        "Layer: '"'"'bclLayer: '"'"'blLayer: '"'"'clLayer: '"'"'l"
    label spec io.buildpacks.lifecycle.metadata >"$work/metadata"
    same "$(jq -c ".buildpacks[0].layers | keys" "$work/metadata")" "[\"bcl\",\"bl\",\"cl\",\"l\"]"
    same "$(jq -c ".buildpacks[0].layers.bl | [.build, .cache, .launch, .data.of]" "$work/metadata")" \
        "[true,false,true,\"bl\"]"
    same "$(jq -r ".buildpacks[0].store.metadata.builds" "$work/metadata")" some
    same "$(jq -r ".buildpacks | map(.key) | join(\" \")" "$work/metadata")" \
        "spec/first spec/second spec/old spec/clear"
'
check 'bills of materials of the launch are a layer of the image, before the app, and in the label' '
    names_in spec "Software Bill-of-Materials" >"$work/bills"
    expect "^/layers/sbom/launch/spec_first/sbom.cdx.json$" "$work/bills"
    expect "^/layers/sbom/launch/spec_first/cl/sbom.cdx.json$" "$work/bills"
    expect "^/layers/sbom/launch/spec_first/l/sbom.cdx.json$" "$work/bills"
    refute "/(b|c|bc|none)/sbom|sbom/build" "$work/bills"
    same "$(text_of spec "Software Bill-of-Materials" /layers/sbom/launch/spec_first/sbom.cdx.json)" "{\"of\":\"launch\"}"
    same "$(text_of spec "Software Bill-of-Materials" /layers/sbom/launch/sbom.legacy.json)" \
        "[{\"name\":\"legacy\",\"metadata\":{\"version\":\"\\u003c1\\u003e\"},\"buildpack\":{\"id\":\"spec/old\",\"version\":\"1.0.0\"}}]"
    expect "." <(jq -r ".sbom.sha // empty" "$work/metadata")
'
check 'slices are layers in the order of the group, each without what those before it took' '
    same "$(names_in spec "Application Slice: 1" | tr "\n" " ")" "/workspace /workspace/public /workspace/public/style.css "
    same "$(names_in spec "Application Slice: 2")" ""
    same "$(names_in spec "Application Slice: 3" | tr "\n" " ")" \
        "/workspace /workspace/deep /workspace/deep/er /workspace/deep/er/two.txt /workspace/public /workspace/public/one.txt "
    same "$(names_in spec "Application Slice: 4" | tr "\n" " ")" "/workspace /workspace/file.txt "
    same "$(jq ".app | length" "$work/metadata")" 4
    expect "Application Slice: 2 has no files" "$out"
'
check 'later buildpacks replace processes and labels; the last default is the entrypoint' '
    label spec io.buildpacks.build.metadata >"$work/build"
    same "$(jq -r ".processes | map(.type) | join(\" \")" "$work/build")" "main placed shell web"
    same "$(jq -c ".processes[] | select(.type == \"web\") | [.command[2], .args, .buildpackID]" "$work/build")" \
        "[\"echo second web\",null,\"spec/second\"]"
    same "$(jq -c ".processes[] | select(.type == \"shell\") | [.command, .direct]" "$work/build")" "[[\"echo \$HOME\"],false]"
    same "$(jq -c ".processes[] | select(.type == \"placed\") | [.[\"working-dir\"], .[\"exec-env\"], .direct]" "$work/build")" \
        "[\"/workspace/deep\",[\"test\"],true]"
    same "$(inspect spec --config | jq -c ".config.Entrypoint")" "[\"/cnb/process/main\"]"
    expect "default process web was defined anew" "$out"
    same "$(label spec org.example.first)" one
    same "$(label spec org.example.both)" "from second"
'
check 'the configuration has the variables, the directory and the labels of an app image' '
    inspect spec --config | jq -r ".config.Env[]" >"$work/env"
    for entry in CNB_LAYERS_DIR=/layers CNB_APP_DIR=/workspace CNB_PLATFORM_API=0.15 \
        PATH=/cnb/process:/cnb/lifecycle:/bin:/usr/bin; do expect "^$entry$" "$work/env"; done
    same "$(inspect spec --config | jq -r .config.WorkingDir)" /workspace
    same "$(label spec io.buildpacks.project.metadata)" "{}"
    same "$(label spec io.buildpacks.exec-env)" production
    same "$(jq -r ".runImage.topLayer" "$work/metadata")" \
        "$(skopeo inspect --tls-verify=false --config "docker://$registry/stacks/tiny:run" | jq -r ".rootfs.diff_ids[-1]")"
'
check 'processes are links to the launcher, and all that was built is in metadata.toml' '
    names_in spec "Buildpacks Process Types" >"$work/links"
    for type in main placed shell web; do expect "^/cnb/process/$type$" "$work/links"; done
    text_of spec "Buildpacks Launcher Config" /layers/config/metadata.toml >"$work/toml"
    expect "^buildpack-default-process-type = \"main\"$" "$work/toml"
    same "$(grep -c "^\[\[buildpacks\]\]" "$work/toml")" 4
    same "$(grep -c "^\[\[slices\]\]" "$work/toml")" 3
'

check 'before a rebuild come back: what the table of layer types says, and nothing else' '
    echo more >"$work/spec/file.txt"
    commit spec second
    build
    grep -oE "first finds .*" "$out" | cut -c 13- >"$work/found"
    for there in bcl.toml bcl/file bcl.sbom.cdx.json bc.toml bc/file bc.sbom.cdx.json cl.toml cl/file \
        cl.sbom.cdx.json c.toml c/file c.sbom.cdx.json l.toml l.sbom.cdx.json store.toml; do
        expect "^./$there$" "$work/found"
    done
    refute "^./(l|b|bl|none)(/|$)|^./(b|bl|none).(toml|sbom)|ignore|(launch|build).(toml|sbom)" "$work/found"
    expect "first reads bcl.toml +of = \"bcl\"" "$out"
    expect "first reads store.toml +builds = \"some\"" "$out"
    refute "first reads .*(types|launch|cache|build) =" "$out"
'
check 'a launch layer without a directory is that of the last image, with the metadata and the bill of now' '
    record spec
    label spec io.buildpacks.lifecycle.metadata >"$work/again"
    same "$(jq -r ".buildpacks[0].layers.l.sha" "$work/again")" "$(jq -r ".buildpacks[0].layers.l.sha" "$work/metadata")"
    expect "/spec_first/l/sbom.cdx.json" <(names_in spec "Software Bill-of-Materials")
    same "$(jq -r .sbom.sha "$work/again")" "$(jq -r .sbom.sha "$work/metadata")"
'
check 'without a cache the last image gives metadata and bills of its launch layers alone' '
    rm -r "$state/caches/spec"
    commit spec third
    build
    grep -oE "first finds .*" "$out" | cut -c 13- >"$work/found"
    for there in l.toml l.sbom.cdx.json store.toml; do expect "^./$there$" "$work/found"; done
    refute "^./(bcl|bc|cl|c)" "$work/found"
'
check 'a damaged layer of the cache is dropped with a line, with its metadata, and the build goes on' '
    files=$(find "$state/caches" -path "*layers/spec_first/cl/file")
    [ -n "$files" ]
    for file in $files; do printf broken >"$file"; done
    commit spec fourth
    build
    expect "The cached layer spec/first:cl is damaged and was dropped" "$out"
    grep -oE "first finds .*" "$out" | cut -c 13- >"$work/found"
    refute "^./cl" "$work/found"
    expect "^./bcl/file$" "$work/found"
'
check 'a buildpack that fails ends the build, and finished ones keep their cache' '
    touch "$work/spec/fail"
    commit spec fail
    must_fail build
    expect "spec/second ended with exit code 7" "$out"
    refute "old runs" "$out"
    git -C "$work/spec" reset -q --hard HEAD~1
    commit spec fifth
    build
    grep -oE "first finds .*" "$out" | cut -c 13- >"$work/found"
    for there in bcl/file bc/file cl/file c/file; do expect "^./$there$" "$work/found"; done
'

mkdir -p "$work/binding"
printf 'postgresql' >"$work/binding/type"
printf 'secret words' >"$work/binding/password"
check 'user-provided variables override, path-like ones stand in front; clear-env keeps them away' '
    "$bin/slipway" --state "$state" build "$work/spec" --buildpacks "$buildpacks" --output "oci:$work/built" \
        --env PATH=/given --env GIVEN=user --env NAME=user \
        --service-binding "database=$work/binding" >"$work/raw.log" 2>&1 || { cat "$work/raw.log"; exit 1; }
    sed "s/^ *//" "$work/raw.log" >"$work/build.log"
    expect "first sees PATH=/given:/bin:/usr/bin$" "$work/build.log"
    expect "second sees PATH=/given:/layers/spec_first/bl/bin:" "$work/build.log"
    expect "second sees NAME=user$" "$work/build.log"
    expect "first sees GIVEN=user$" "$work/build.log"
    refute "clear sees (GIVEN|PATH=/given)" "$work/build.log"
    expect "clear reads /platform/env/GIVEN user$" "$work/build.log"
'
check 'service bindings are there for the build, read-only, and nowhere in the image' '
    expect "first sees SERVICE_BINDING_ROOT=/platform/bindings$" "$work/build.log"
    expect "first binds /platform/bindings/database/type postgresql$" "$work/build.log"
    expect "first binds /platform/bindings/database/password [*]{3}$" "$work/build.log"
    refute "first wrote a binding" "$work/build.log"
    refute "SERVICE_BINDING|secret words" <(cat "$work"/built/blobs/sha256/* | zcat -f 2>/dev/null | strings)
'
check 'an API that is not supported is refused by the name of its buildpack' '
    cp -R "$buildpacks" "$work/future"
    sed -i "s/^api = .*/api = \"0.99\"/" "$work/future/second/buildpack.toml"
    must_fail "$bin/slipway" --state "$state" build "$work/spec" --buildpacks "$work/future" >"$work/future.log" 2>&1
    expect "spec/second@1.0.0 wants Buildpack API 0.99, which is not supported" "$work/future.log"
'
check 'every test that docs/buildpack-compatibility.md names is there' '
    tests=$SLIPWAY_SOURCE_DIR/tests
    grep -oP "\x60[a-z_]+: [^\x60]+\x60" "$SLIPWAY_SOURCE_DIR/docs/buildpack-compatibility.md" | tr -d "\140" |
        sort -u >"$work/named"
    expect "^specification: " "$work/named"
    while IFS= read -r line; do
        grep -rqF --include="${line%%: *}.*" -- "${line#*: }" "$tests" || fail "there is no test $line"
    done <"$work/named"
'

finish
