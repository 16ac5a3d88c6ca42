#!/usr/bin/env bash
# Images run under Docker as they do under crun and runc. Skipped, and said so, where no Docker
# engine can be started (in most containers, for one).
. "$(dirname "$0")/lib.sh"

engine=
docker_here() { docker --host "unix://$work/docker.sock" "$@"; }
start_docker() {
    # Its own data, its own mounts, none of the machine's network: nothing of it stays behind.
    unshare --mount dockerd --data-root "$work/docker" --exec-root "$work/docker-run" \
        --host "unix://$work/docker.sock" --pidfile "$work/docker.pid" \
        --iptables=false --ip6tables=false --bridge=none --insecure-registry 127.0.0.0/8 \
        >"$work/docker.log" 2>&1 &
    engine=$!
    wait_until 30 'dockerd answers or has ended' docker_is_decided
    docker_here info >/dev/null 2>&1
}
docker_is_decided() { has_ended "$engine" || docker_here info >/dev/null 2>&1; }
stop_docker() {
    [ -n "$engine" ] || return 0
    kill "$engine" 2>/dev/null
    wait "$engine" 2>/dev/null
    engine=
}
trap 'stop_docker; clean_up' EXIT

command -v dockerd >/dev/null || skip_all "no dockerd (apt-get install docker.io)"
if ! start_docker; then
    tail -n 5 "$work/docker.log"
    echo "skipped: no Docker engine can be started on this machine (the lines above say why)"
    exit 77
fi

start_server
use_tiny_stack
script_app hello <<<'echo fine'
push hello >/dev/null 2>&1

check 'Docker pulls the image by its digest and runs it' '
    port=$(free_port)
    docker_here run --detach --name hello --network host --env PORT="$port" "$(image_reference hello)"
    wait_until 30 "the image answers under Docker" curl -fs -o "$work/answer" "http://127.0.0.1:$port/"
    expect "hello from hello" "$work/answer"
    docker_here rm --force hello
'
check 'a process type and the launcher can be asked for by name' '
    docker_here run --rm --network none --entrypoint launcher "$(image_reference hello)" \
        sh -c "id -u; pwd" >"$work/out"
    expect "^1000$" "$work/out"
    expect "^/workspace$" "$work/out"
'
for runtime in crun runc; do
    check "the image runs under $runtime" '
        export SLIPWAY_RUNTIME=$runtime
        answers hello "hello from hello"
    '
done
stop_docker

finish
