#!/usr/bin/env bash
# A developer pushes a small app: what they see, what is built, and what git may and may not do.
. "$(dirname "$0")/lib.sh"

start_server
use_tiny_stack

script_app hello <<'BUILD'
echo "step one"
ls > listing
BUILD
(
    cd "$work/hello" || exit
    printf '#!/bin/sh\necho run\n' >run.sh
    chmod 755 run.sh
    echo plain >plain.txt
    ln -s plain.txt link
    ln -s /nowhere/at/all dangling
    mkdir -p 'a directory'
    echo odd >'a directory/with "quotes" and spaces'
)
commit hello 'odd files'

check 'a push is accepted and ends with the image, its digest and how to run it' '
    push hello
    expect "^remote: -----> " "$work/hello.push"
    expect "^remote:        step one" "$work/hello.push"
    expect "sha256:[0-9a-f]{64}" "$work/hello.push"
    expect "$registry/.*hello" "$work/hello.push"
    same "$(remote_head hello)" "$(git -C "$work/hello" rev-parse main)"
'
check 'the lines are plain: no cursor control, no carriage return' '
    refute "$(printf "\033")\[[0-9;]*[A-HJKSTfnsu]" "$work/hello.push"
    ! grep -q "$(printf "\r")" "$work/hello.push" || fail "a carriage return"
'
check 'the digest is that of the manifest in the registry' '
    skopeo inspect --tls-verify=false --raw "docker://$(image_reference hello)" >"$work/manifest"
    same "sha256:$(sha256sum "$work/manifest" | cut -d " " -f 1)" "$(pushed_digest hello)"
    inspect hello | jq -e .Architecture
'
check 'the image carries the labels and the entrypoint of the platform specification' '
    inspect hello --config >"$work/config"
    jq -e ".config.Labels[\"io.buildpacks.lifecycle.metadata\"] | fromjson | .app and .launcher" "$work/config"
    jq -e ".config.Labels[\"io.buildpacks.build.metadata\"] | fromjson | .buildpacks[0].id == \"test/script\"" "$work/config"
    jq -e ".config.Labels[\"io.buildpacks.build.metadata\"] | fromjson | .processes[0].type == \"web\"" "$work/config"
    jq -e ".config.Entrypoint == [\"/cnb/process/web\"]" "$work/config"
    jq -e ".config.Env | index(\"CNB_APP_DIR=/workspace\")" "$work/config"
    jq -e ".config.WorkingDir == \"/workspace\"" "$work/config"
    jq -e ".created == \"1980-01-01T00:00:01Z\"" "$work/config"
'
check 'file modes, symbolic links and odd names arrive in the image as they were committed' '
    skopeo --insecure-policy copy --quiet --src-tls-verify=false \
        "docker://$(image_reference hello)" "oci:$work/layout:app"
    umoci unpack --image "$work/layout:app" "$work/bundle"
    app=$work/bundle/rootfs/workspace
    same "$(readlink "$app/link")" plain.txt
    same "$(readlink "$app/dangling")" /nowhere/at/all
    same "$(stat -c %a "$app/run.sh")" 755
    same "$(stat -c %a "$app/plain.txt")" 644
    same "$(cat "$app/a directory/with \"quotes\" and spaces")" odd
    [ ! -e "$app/.git" ]
    rm -rf "$work/layout" "$work/bundle"
'
check 'the image runs and answers' '
    answers hello "hello from hello"
'
check 'pushing the same commit again says that everything is up to date' '
    push hello
    expect "Everything up-to-date" "$work/hello.push"
'
check 'another commit with the same tree has the same digest' '
    before=$(last_build hello .digest)
    commit hello "nothing new"
    push hello
    same "$(pushed_digest hello)" "$before"
'
check 'the build is listed, and its log is what the pusher saw' '
    build=$(last_build hello .build)
    same "$(last_build hello .state)" published
    same "$(last_build hello .commit)" "$(git -C "$work/hello" rev-parse main)"
    slipway builds log "$build" >"$work/log"
    expect "step one" "$work/log"
    slipway builds info "$build" | grep -q "$(pushed_digest hello)"
'
check 'those who may push may clone' '
    GIT_SSH_COMMAND=$(ssh_command dev) git clone -q "$(app_url hello)" "$work/clone"
    same "$(git -C "$work/clone" rev-parse HEAD)" "$(git -C "$work/hello" rev-parse main)"
    git -C "$work/clone" fsck --strict
'
check 'another branch is refused, with the command that would work' '
    git -C "$work/hello" checkout -q -B feature
    commit hello feature
    refused_push hello feature
    expect "git push .*feature:main" "$work/hello.push"
    same "$(remote_head hello refs/heads/feature)" ""
    git -C "$work/hello" checkout -q main
'
check 'a tag is refused' '
    git -C "$work/hello" tag -f v1
    refused_push hello v1
    same "$(remote_head hello refs/tags/v1)" ""
'
check 'deleting the deploy branch is refused' '
    refused_push hello :main
    same "$(remote_head hello)" "$(git -C "$work/hello" rev-parse main)"
'
check 'several refs in one push are refused before anything is built' '
    before=$(last_build hello .build)
    commit hello "two refs"
    refused_push hello main feature
    same "$(remote_head hello refs/heads/feature)" ""
    same "$(last_build hello .build)" "$before"
'
check 'a push from a shallow clone builds' '
    push hello
    git clone -q --depth 1 "file://$work/hello" "$work/shallow"
    git -C "$work/shallow" remote add slipway "$(app_url hello)"
    commit shallow "from a shallow clone"
    push shallow HEAD:main
    expect "sha256:[0-9a-f]{64}" "$work/shallow.push"
    same "$(remote_head hello)" "$(git -C "$work/shallow" rev-parse HEAD)"
'
check 'the first push of an app may come from a shallow clone' '
    slipway apps create thin
    git -C "$work/shallow" remote set-url slipway "$(app_url thin)"
    push shallow HEAD:main
    same "$(remote_head thin)" "$(git -C "$work/shallow" rev-parse HEAD)"
    GIT_SSH_COMMAND=$(ssh_command dev) git clone -q "$(app_url thin)" "$work/thin"
'
check 'master builds as main does' '
    script_app old <<<"true"
    git -C "$work/old" branch -m main master
    push old master
    expect "sha256:[0-9a-f]{64}" "$work/old.push"
    GIT_SSH_COMMAND=$(ssh_command dev) git clone -q "$(app_url old)" "$work/old-clone"
    same "$(git -C "$work/old-clone" rev-parse HEAD)" "$(git -C "$work/old" rev-parse master)"
'
check 'a history that was rewritten can be pushed with force, and not without' '
    git -C "$work/old" commit -q --amend -m rewritten
    refused_push old master
    push old +master
    same "$(remote_head old refs/heads/master)" "$(git -C "$work/old" rev-parse master)"
'
check 'a submodule is refused with a text that says why' '
    script_app parts <<<"true"
    git init -q "$work/part"
    commit part one
    git -C "$work/parts" -c protocol.file.allow=always submodule --quiet add "$work/part" lib/part
    commit parts "with a submodule"
    refused_push parts
    expect "[Ss]ubmodule.*lib/part|lib/part.*[Ss]ubmodule" "$work/parts.push"
    same "$(remote_head parts)" ""
'
check 'the same tree gives the same digest without a server' '
    "$bin/slipway" build --help >/dev/null
    build_dir=$work/exported
    mkdir "$build_dir"
    git -C "$work/old" archive master | tar -x -C "$build_dir"
    slipway build "$build_dir" >"$work/build.out" 2>&1 || { cat "$work/build.out"; exit 1; }
    same "$(grep -oE "sha256:[0-9a-f]{64}" "$work/build.out" | tail -n 1)" "$(pushed_digest old)"
'

finish
