#!/usr/bin/env bash
# A registry that is not the server's own: with a password, and not always there.
. "$(dirname "$0")/lib.sh"

registry_port=$(free_port)
mkdir -p "$work/registry"
# bcrypt of "open sesame", made once: no tool for it is needed here.
printf 'builder:%s\n' "$(python3 - <<'PY'
import crypt
print(crypt.crypt("open-sesame-secret", "$2b$05$abcdefghijklmnopqrstuu"))
PY
)" >"$work/htpasswd"
cat >"$work/registry.yml" <<YAML
version: 0.1
log: {level: warn}
storage: {filesystem: {rootdirectory: $work/registry}, delete: {enabled: true}}
http: {addr: "127.0.0.1:$registry_port"}
auth: {htpasswd: {realm: test, path: $work/htpasswd}}
YAML
registry_pid=
start_registry() {
    env -u REGISTRY_AUTH_FILE docker-registry serve "$work/registry.yml" >>"$work/registry.log" 2>&1 &
    registry_pid=$!
    wait_until 20 'the registry answers' registry_answers
}
registry_answers() {
    [ "$(curl -s -o /dev/null -w '%{http_code}' "http://127.0.0.1:$registry_port/v2/")" = 401 ]
}
stop_registry() {
    kill -KILL "$registry_pid" 2>/dev/null || true
    wait "$registry_pid" 2>/dev/null || true
}
trap 'stop_registry; clean_up' EXIT
start_registry

echo open-sesame-secret >"$work/password"
chmod 600 "$work/password"
configure "registry.url = \"127.0.0.1:$registry_port/apps\""
configure 'registry.user = "builder"'
configure "registry.password_file = \"$work/password\""
for image in build run; do
    skopeo --insecure-policy copy --quiet --dest-tls-verify=false \
        --dest-creds builder:open-sesame-secret \
        "oci:$shared/tiny:$image" "docker://127.0.0.1:$registry_port/stacks/tiny:$image"
done
start_server
slipway stack use tiny --build "127.0.0.1:$registry_port/stacks/tiny:build" \
    --run "127.0.0.1:$registry_port/stacks/tiny:run"

script_app hello <<'BUILD'
env >seen-environment
cat /proc/*/environ >seen-environs 2>/dev/null || true
cat /proc/*/cmdline >seen-cmdlines 2>/dev/null || true
find / -xdev -type f -size -1000k 2>/dev/null | while read -r f; do
    if grep -q 'open-sesam[e]' "$f" 2>/dev/null; then echo "LEAK in $f"; fi
done
echo "searched all files"
BUILD
inspect_with_password() {
    skopeo inspect --tls-verify=false --creds builder:open-sesame-secret \
        "docker://$(image_reference hello)" "$@"
}

check 'an image is pushed to a registry that asks for a password' '
    push hello
    expect "127.0.0.1:$registry_port/apps/" "$work/hello.push"
    inspect_with_password | jq -e .Digest
'
check 'the password is nowhere in the sandbox, the image, the log and the process list' '
    expect "searched all files" "$work/hello.push"
    refute "LEAK" "$work/hello.push"
    skopeo --insecure-policy copy --quiet --src-tls-verify=false \
        --src-creds builder:open-sesame-secret "docker://$(image_reference hello)" "oci:$work/layout:app"
    umoci unpack --image "$work/layout:app" "$work/bundle"
    ! grep -rl "open-sesame" "$work/bundle" || fail "in the image"
    ! grep -l "open-sesame" "$work/server.log" || fail "in the log"
    ! grep -rl "open-sesame" "$state" || fail "in the state directory"
'
stop_registry
check 'when the registry is down the push is refused with words, in reasonable time' '
    commit hello again
    echo "echo changed" >>"$work/hello/build.sh"
    commit hello changed
    before=$(last_build hello .build)
    PUSH_TIMEOUT=240 refused_push hello
    expect "^remote:  !     .*publish phase.*(registry|could not reach)" "$work/hello.push"
    [ "$(last_build hello .build)" = "$before" ] || build_is hello broken
'
start_registry
check 'and accepted once it is back' '
    push hello
    expect "sha256:[0-9a-f]{64}" "$work/hello.push"
    inspect_with_password | jq -e .Digest
'
check 'a registry that goes away during a build' '
    printf "echo now\nhold hello\n" >"$work/hello/build.sh"
    dd if=/dev/urandom of="$work/hello/big" bs=1M count=20 status=none
    commit hello slow
    PUSH_TIMEOUT=240 push hello >/dev/null 2>&1 & pusher=$!
    wait_until 60 "the build runs" grep -q "now" "$work/hello.push"
    kill -KILL "$registry_pid"
    let_go hello
    ! wait "$pusher" || fail "the push was accepted"
    expect "^remote:  !     .*publish phase.*(registry|could not reach)" "$work/hello.push"
    same "$(remote_head hello)" "$(git -C "$work/hello" rev-parse main~1)"
'
stop_registry
start_registry
check 'the same push works when it is there again' '
    push hello & pusher=$!
    let_go hello
    wait "$pusher"
    expect "sha256:[0-9a-f]{64}" "$work/hello.push"
'
echo wrong >"$work/password"
stop_server
start_server
check 'a wrong password is told as such, and is not shown' '
    echo "echo other" >"$work/hello/build.sh"
    commit hello other
    refused_push hello
    expect "^remote:  !     .*(password|credential|denied|unauthori|log ?in|refused|401)" "$work/hello.push"
'

finish
