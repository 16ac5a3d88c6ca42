#!/usr/bin/env bash
# Apps on another run image without a build: each a new release, read by skopeo and umoci, verified,
# and running on the new run image.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/run_images_lib.sh"

start_server
use_tiny_stack
stack=$registry/stacks/tiny

push_run_image patched
push_run_image foreign debian

for app in hello shop; do
    script_app "$app" <<<'echo built'
    printf 'mkdir -p /tmp/www; cat /etc/run-image >/tmp/www/base 2>/dev/null\ncp public/index.html /tmp/www/\nexec httpd -f -p "$PORT" -h /tmp/www\n' >"$work/$app/web.sh"
    commit "$app" second
    push "$app" >/dev/null
    pushed_digest "$app" >"$work/$app.first"
done
slipway apps create empty >/dev/null

digest_of() { skopeo inspect --tls-verify=false --format '{{.Digest}}' "docker://$registry/$1"; }
layers_of() { skopeo inspect --tls-verify=false --raw "docker://$registry/$1" | jq -r '.layers[].digest'; }
released() { # NAME: as answers and image_reference read the last push
    slipway --json apps info "$1" | jq -r .digest >"$work/$1.push"
}

check 'a dry run says what would become of each app, and changes nothing' '
    slipway --json rebase --all --run "$stack:patched" --dry-run >"$work/report"
    same "$(jq -r ".counts.\"would-rebase\"" "$work/report")" 2
    same "$(jq -r ".counts.skipped" "$work/report")" 1
    same "$(digest_of hello:latest)" "$(cat "$work/hello.first")"
    same "$(slipway --json builds list --app hello | jq ".builds | length")" 1
'
check 'every app is rebased: another digest, the same layers of its own, a release of its own' '
    layers_of hello:latest >"$work/hello.before"
    layers_of stacks/tiny:patched >"$work/patched"
    slipway rebase --all --run "$stack:patched" | tee "$work/said"
    expect "hello +rebased +sha256:" "$work/said"
    expect "2 rebased, 1 skipped" "$work/said"
    for app in hello shop; do
        digest=$(digest_of $app:latest)
        must_fail same "$digest" "$(cat "$work/$app.first")"
        same "$(last_build $app .digest)" "$digest"
        same "$(last_build $app .door)" rebase
        same "$(last_build $app .state)" published
        same "$(slipway --json apps info $app | jq -r .digest)" "$digest"
    done
    layers_of hello:latest >"$work/hello.after"
    same "$(head -n "$(wc -l <"$work/patched")" "$work/hello.after")" "$(cat "$work/patched")"
    own=$(($(wc -l <"$work/hello.before") - 1))
    same "$(tail -n $own "$work/hello.after")" "$(tail -n $own "$work/hello.before")"
'
check 'skopeo and umoci read the rebased image, and its labels name the new run image' '
    rm -rf "$work/pulled"
    skopeo --insecure-policy copy --quiet --src-tls-verify=false "docker://$registry/hello:latest" "oci:$work/pulled:x"
    umoci unpack --rootless --image "$work/pulled:x" "$work/bundle"
    same "$(cat "$work/bundle/rootfs/etc/run-image")" patched
    expect "hello from hello" "$work/bundle/rootfs/workspace/public/index.html"
    skopeo inspect --tls-verify=false --config "docker://$registry/hello:latest" >"$work/config"
    jq -r ".config.Labels.\"io.buildpacks.lifecycle.metadata\"" "$work/config" >"$work/label"
    same "$(jq -r .runImage.reference "$work/label")" "stacks/tiny@$(digest_of stacks/tiny:patched)"
    same "$(jq -r .runImage.topLayer "$work/label")" \
        "$(skopeo inspect --tls-verify=false --config "docker://$stack:patched" | jq -r ".rootfs.diff_ids[-1]")"
    same "$(jq ".rootfs.diff_ids | length" "$work/config")" "$(jq "[.history[] | select(.empty_layer != true)] | length" "$work/config")"
'
check 'it runs, on the new run image' '
    released hello
    answers hello "hello from hello"
    answers hello patched /base
'
check 'it is signed, with a provenance that names both run images' '
    slipway --json verify hello >"$work/verified"
    same "$(jq -r .digest "$work/verified")" "$(digest_of hello:latest)"
    jq -c ".provenance.buildDefinition.resolvedDependencies[]" "$work/verified" >"$work/dependencies"
    digest=$(digest_of stacks/tiny:patched)
    expect "\"run-image\".*${digest#sha256:}|${digest#sha256:}.*\"run-image\"" "$work/dependencies"
    expect "rebased-from" "$work/dependencies"
    same "$(grep -c run-image "$work/dependencies")" 1
    same "$(jq -r .provenance.runDetails.metadata.invocationId "$work/verified")" "$(last_build hello .build)"
'
check 'a second time there is nothing to do' '
    slipway --json rebase --all --run "$stack:patched" | tee "$work/report"
    same "$(jq -r .counts.unchanged "$work/report")" 2
    same "$(slipway --json builds list --app hello | jq ".builds | length")" 2
'
check 'a run image of another distribution wants force' '
    status=0; slipway rebase hello --run "$stack:foreign" >"$work/said" || status=$?
    same "$status" 1
    expect "debian" "$work/said"
    expect "force" "$work/said"
    same "$(digest_of hello:latest)" "$(last_build hello .digest)"
    slipway rebase -a hello --run "$stack:foreign" --force >"$work/said"
    expect "warning: the run image is for" "$work/said"
    slipway rebase hello --run "$stack:patched" --force >/dev/null
'
check 'what is rebased is what a build on that run image makes' '
    slipway stack use tiny --build "$stack:build" --run "$stack:patched" >/dev/null
    rebased=$(last_build shop .digest)
    commit shop again
    push shop >/dev/null
    same "$(pushed_digest shop)" "$rebased"
    same "$(last_build shop .door)" git
    slipway --json rebase shop >"$work/report" # the run image of its stack
    same "$(jq -r .result "$work/report")" unchanged
'
check 'an app that is being built is left alone, and is rebased when it has been' '
    slipway stack use tiny --build "$stack:build" --run "$stack:run" >/dev/null
    echo "hold here" >>"$work/shop/build.sh"
    commit shop held
    { push shop || true; } >/dev/null 2>&1 &
    pusher=$!
    wait_until 60 "the build stands" is_held here
    status=0; slipway rebase shop --run "$stack:run" >"$work/said" || status=$?
    same "$status" 1
    expect "a build of shop is running" "$work/said"
    slipway rebase shop --run "$stack:patched" >"$work/said" # where its last release is
    expect "unchanged" "$work/said"
    expect "warning: a build of it is running" "$work/said"
    let_go here
    wait "$pusher"
    wait_until 60 "it is published" build_is shop published
    slipway --json rebase shop --run "$stack:patched" | tee "$work/report"
    same "$(jq -r .result "$work/report")" rebased
'
check 'a rebased release can be built again, from the source that it came from' '
    slipway builds retry "$(last_build hello .build)" --detach
    wait_until 60 "it is published" build_is hello published
    same "$(last_build hello .door)" api
'
check 'an image is rebased without a server: a registry, and a layout' '
    skopeo --insecure-policy copy --quiet --src-tls-verify=false --dest-tls-verify=false \
        "docker://$registry/hello@$(cat "$work/hello.first")" "docker://$registry/copies/hello:v1"
    skopeo --insecure-policy copy --quiet --src-tls-verify=false \
        "docker://$registry/hello@$(cat "$work/hello.first")" "oci:$work/layout:v1"
    export DOCKER_CONFIG=$work/docker
    mkdir -p "$DOCKER_CONFIG"
    cp "$REGISTRY_AUTH_FILE" "$DOCKER_CONFIG/config.json"
    for image in "$registry/copies/hello:v1" "oci:$work/layout:v1"; do
        "$bin/slipway" --state "$work/nowhere" --json rebase "$image" --run "$stack:patched" | tee "$work/report"
        same "$(jq -r .result "$work/report")" rebased
    done
    same "$(digest_of copies/hello:v1)" "$(jq -r .to "$work/report")"
    same "$(skopeo inspect --format "{{.Digest}}" "oci:$work/layout:v1")" "$(jq -r .to "$work/report")"
    rm -rf "$work/bundle2"
    umoci unpack --rootless --image "$work/layout:v1" "$work/bundle2"
    same "$(cat "$work/bundle2/rootfs/etc/run-image")" patched
    must_fail "$bin/slipway" --state "$work/nowhere" rebase "$registry/hello@$(cat "$work/hello.first")" --run "$stack:patched"
'
stop_server
check 'a server that dies in the middle of a rebase leaves a row that says so' '
    SLIPWAY_FAILPOINT=rebase_written start_server
    must_fail slipway rebase hello --run "$stack:patched"
    wait_until 60 "the server dies" has_ended "$server_pid"
    start_server
    same "$(last_build hello .state)" lost
    expect "rebase it again" <(last_build hello .reason)
    slipway --json rebase hello --run "$stack:patched" | tee "$work/report"
    same "$(jq -r .result "$work/report")" rebased
    same "$(digest_of hello:latest)" "$(last_build hello .digest)"
    stop_server
'
start_server
finish
