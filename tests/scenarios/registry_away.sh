#!/usr/bin/env bash
# A registry that goes away while images are made for it: what was built is published when it is
# back, without a build.
. "$(dirname "$0")/lib.sh"

registry_port=$(free_port)
away=127.0.0.1:$registry_port
mkdir -p "$work/registry"
cat >"$work/registry.yml" <<YAML
version: 0.1
log: {level: warn}
storage: {filesystem: {rootdirectory: $work/registry}, delete: {enabled: true}}
http: {addr: "$away"}
YAML
# Checks run in subshells: who runs is known by files. The registry would take the login of the clients
# for its own configuration.
start_registry() {
    env -u REGISTRY_AUTH_FILE docker-registry serve "$work/registry.yml" >>"$work/registry.log" 2>&1 </dev/null &
    echo $! >"$work/registry.pid"
    wait_until 60 'the registry answers' curl -sf -o "$work/out" "http://$away/v2/"
}
stop_registry() {
    [ -s "$work/registry.pid" ] || return 0
    kill -KILL "$(cat "$work/registry.pid")" 2>/dev/null || true
    wait_until 10 'the registry is away' registry_is_away
}
registry_is_away() { ! curl -s -o "$work/out" "http://$away/v2/"; }
trap 'stop_registry; clean_up' EXIT
start_registry

same_inputs=168h
configure "registry.url = \"$away/apps\""
for image in build run; do
    skopeo --insecure-policy copy --quiet --dest-tls-verify=false \
        "oci:$shared/tiny:$image" "docker://$away/stacks/tiny:$image"
done
start_server
slipway stack use tiny --build "$away/stacks/tiny:build" --run "$away/stacks/tiny:run"

holding_app() { # NAME
    script_app "$1" <<BUILD
echo "buildpack ran"
hold $1
echo "$1" >public/made
BUILD
}
tag_digest() { skopeo inspect --tls-verify=false --format '{{.Digest}}' "docker://$away/apps/$1:latest"; }
# The log of the build says that the buildpack ran this often.
ran() { # BUILD TIMES
    slipway builds log "$1" >"$work/log"
    same "$(grep -c "buildpack ran" "$work/log")" "$2"
}
detach() { # NAME
    git -C "$work/$1" -c "core.sshCommand=$(ssh_command dev)" push -o detach slipway main \
        >"$work/$1.push" 2>&1
}

says_when() {
    slipway builds info "$kept" >"$work/info"
    grep -qE "Sent again: +2" "$work/info"
}

holding_app hello
check 'a registry that goes away during a build refuses the push with words, and keeps the image' '
    PUSH_TIMEOUT=240 push hello >/dev/null 2>&1 & pusher=$!
    wait_until 60 "the build runs" is_held hello
    stop_registry
    let_go hello
    must_fail wait "$pusher"
    expect "^remote:  !     The image is built, but not published: .*" "$work/hello.push"
    expect "Nothing has to be built again" "$work/hello.push"
    same "$(remote_head hello)" ""
    build_is hello exporting
    [ -f "$state/kept/$(last_build hello .build)/kept.json" ]
'
kept=$(last_build hello .build)
check 'slipway builds info says why it waits and when the image is sent again' '
    wait_until 60 "it is not being sent just now" says_when
    expect "State: +exporting" "$work/info"
    expect "Reason: +could not reach" "$work/info"
'
check 'it waits on while the server is started anew, and is sent when the registry is back' '
    stop_server
    start_server
    build_is hello exporting
    start_registry
    wait_until 120 "it is published" build_is hello published
    same "$(last_build hello .build)" "$kept"
    same "$(last_build hello .attempt)" 1
    ran "$kept" 1
    same "$(tag_digest hello)" "$(last_build hello .digest)"
    [ ! -e "$state/kept/$kept" ] || fail "the kept image is still there"
'
server_pid=$(jq -r .pid "$state/run/server.json")
check 'its image is whole, with its proof' '
    digest=$(last_build hello .digest)
    slipway verify "$away/apps/hello@$digest"
    skopeo --insecure-policy copy --quiet --src-tls-verify=false \
        "docker://$away/apps/hello@$digest" "oci:$work/layout:hello"
'
check 'the push once more moves the branch at once, without a build' '
    push hello
    expect "The same inputs as of build $kept" "$work/hello.push"
    same "$(pushed_digest hello)" "$(tag_digest hello)"
    same "$(remote_head hello)" "$(git -C "$work/hello" rev-parse main)"
'
for app in one two three; do holding_app "$app"; done
check 'builds of three apps that end while it is away are all published afterwards' '
    for app in one two three; do detach "$app"; done
    stop_registry_at_first=1
    for app in one two three; do
        wait_until 60 "$app runs" is_held "$app"
        if [ -n "$stop_registry_at_first" ]; then stop_registry; stop_registry_at_first=; fi
        let_go "$app"
        wait_until 120 "$app waits" build_is "$app" exporting
        wait_until 60 "$app is kept" test -f "$state/kept/$(last_build "$app" .build)/kept.json"
    done
    start_registry
    for app in one two three; do
        wait_until 120 "$app is published" build_is "$app" published
        ran "$(last_build "$app" .build)" 1
        same "$(tag_digest "$app")" "$(last_build "$app" .digest)"
    done
'
check 'a build whose image waits is cancelled like any other' '
    echo more >"$work/one/more"
    commit one more
    detach one
    wait_until 60 "it runs" is_held one
    stop_registry
    let_go one
    wait_until 120 "it is kept" test -f "$state/kept/$(last_build one .build)/kept.json"
    wait_until 60 "it waits" sh -c "[ \"\$(\"$bin/slipway\" --state \"$state\" --json builds info $(last_build one .build) | jq -r .tries_again_at)\" != null ]"
    slipway builds cancel "$(last_build one .build)"
    wait_until 60 "it is cancelled" build_is one cancelled
    [ ! -e "$state/kept/$(last_build one .build)" ] || fail "the kept image is still there"
    start_registry
'
finish
