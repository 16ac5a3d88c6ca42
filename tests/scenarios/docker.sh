#!/usr/bin/env bash
# Images run under Docker as they do under crun and runc. Skipped, and said so, where no Docker
# engine can be started (in most containers, for one).
. "$(dirname "$0")/lib.sh"

. "$(dirname "$0")/engines_lib.sh"
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
