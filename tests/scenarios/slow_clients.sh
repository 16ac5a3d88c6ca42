#!/usr/bin/env bash
# Clients that send a byte a second, at the HTTP door and at the SSH door, all at once: each is ended
# by its own limit, and meanwhile everybody else is served as ever.
. "$(dirname "$0")/lib.sh"

configure 'http.max_per_address = 45'
configure 'ssh.login_timeout = "8s"'
configure 'ssh.max_unauthenticated = 12'
configure 'build.log_size = "512M"'
start_server
use_tiny_stack
script_app hello <<'BUILD'
echo 'while others dawdle'
BUILD
token=$(slipway tokens create dawdler --admin 2>/dev/null)
hook=$(slipway --json webhooks add hello --generic owner/app --clone-url https://example.com/owner/app.git |
    jq -r .id)

python3 "$SLIPWAY_SOURCE_DIR/tests/scenarios/slow_clients.py" "$http_port" "$ssh_port" "$token" "$hook" 75 \
    >"$work/report" 2>"$work/ready" &
dawdlers=$!
wait_until 20 'the slow ones have begun' grep -q READY "$work/ready"

check 'while fifty dawdle at one address, a request of another one is answered at once' '
    for path in /livez /readyz /v1/openapi.json; do
        curl -sS --fail --max-time 3 -o /dev/null "$api$path"
    done
    curl -sS --fail --max-time 3 -H "Authorization: Bearer $token" "$api/v1/apps" | jq -e ".apps | length == 1"
'
check 'and a push of another one builds' '
    PUSH_TIMEOUT=30 push hello
    expect "while others dawdle" "$work/hello.push"
    expect "sha256:[0-9a-f]{64}" "$work/hello.push"
'
check 'every one of them was ended by the server' '
    wait "$dawdlers" || true
    cat "$work/report"
    jq -e "length == 9 and all(.[]; .ended == .connections)" "$work/report"
' # it is a child of the scenario, not of the check
wait "$dawdlers" 2>/dev/null || true
ended_within() { # KIND SECONDS
    jq -e --arg kind "$1" --argjson most "$2" '.[$kind].longest <= $most' "$work/report"
}
check 'a head has ten seconds as a whole, a body goes at least a kilobyte a second, a login has its eight' '
    cat "$work/report"
    ended_within "a request'"'"'s head" 15
    ended_within "nothing at all" 15
    for kind in "an archive" "a JSON body" "a delivery" "a body in chunks"; do ended_within "$kind" 45; done
    for kind in "nothing at all" "its version" "its key exchange"; do ended_within "SSH: $kind" 15; done
    # Who was not refused for being one too many was told why.
    jq -e "all(.[\"an archive\", \"a JSON body\", \"a delivery\", \"a body in chunks\"].answers[];
        . == \"HTTP/1.1 408\" or . == \"HTTP/1.1 503\" or . == \"HTTP/1.1 429\")" "$work/report"
'
check 'their places are free again, and nothing of theirs is kept' '
    for i in $(seq 40); do
        curl -sS --fail --max-time 3 --interface 127.0.0.2 -o /dev/null "$api/livez"
    done
    ssh_as dev apps >"$work/out"
    expect "^hello" "$work/out"
    [ -z "$(find "/proc/$server_pid/fd" -lname "$state/sources/*deleted*")" ]
    [ -z "$(find "$state/sources" -type f)" ]
    [ "$(slipway --json apps list | jq ".apps | length")" = 1 ]
    wait_until 10 "no SSH conversation is left" eval "! pgrep -P $server_pid -x slipway-ssh"
'

# One that takes a byte a second of an answer that is larger than what the kernel holds for it.
check 'a reader that takes a byte a second is left behind, and holds no memory of the server' '
    before=$(awk "/^VmRSS/ { print \$2 }" "/proc/$server_pid/status")
    # shellcheck disable=SC2016
    printf "%s\n" "i=0; while [ \$i -lt 20 ]; do head -c 1000000 /dev/zero | tr \"\\\\0\" x | fold -w 500; i=\$((i + 1)); done" >"$work/hello/build.sh"
    commit hello large
    push hello >/dev/null
    build=$(last_build hello .build)
    python3 - "$http_port" "$token" "$build" <<"PY"
import socket, sys, time
port, token, build = sys.argv[1:]
readers = []
for _ in range(20):
    reader = socket.socket()
    reader.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    reader.connect(("127.0.0.1", int(port)))
    reader.sendall(f"GET /v1/builds/{build}/log?follow HTTP/1.1\r\nHost: x\r\n"
                   f"Authorization: Bearer {token}\r\n\r\n".encode())
    readers.append(reader)
for _ in range(4):
    for reader in readers:
        assert reader.recv(1)
    time.sleep(1)
PY
    after=$(awk "/^VmRSS/ { print \$2 }" "/proc/$server_pid/status")
    echo "memory: $before kB, then $after kB"
    [ $((after - before)) -lt 40000 ]
'
finish
