#!/usr/bin/env bash
# Scalingo's own command-line client, pointed at this server, deploys an archive and follows its log;
# where the client cannot be had, its requests are played instead.
. "$(dirname "$0")/lib.sh"
client_version=v1.48.0
start_server
api_socket=$state/run/control.sock
use_tiny_stack
script_app hello <<'SH'
echo built for a client of another house
SH

operator() { # METHOD PATH [curl's options]: over the local socket
    local method=$1 path=$2
    shift 2
    curl -sS --fail-with-body --unix-socket "$api_socket" -X "$method" \
        -H 'Content-Type: application/json' "http://localhost$path" "$@"
}
token=$(operator POST /v1/tokens -d '{"token": {"name": "deployer", "scopes": ["app:hello:deploy"]}}' |
    jq -r .token.token)
mkdir -p "$work/tree/hello-1.0"
git -C "$work/hello" archive main | tar -x -C "$work/tree/hello-1.0"
tar -C "$work/tree" -czf "$work/app.tar.gz" hello-1.0

check 'the requests of its "deploy" are answered as it expects, the log up to the end' '
    python3 "$SLIPWAY_SOURCE_DIR/tests/scenarios/scalingo_requests.py" \
        "http://127.0.0.1:$http_port" "$token" hello "$work/app.tar.gz" v1 >"$work/log"
    expect "^\[NEW\] New deploy: b[0-9a-z]+ from deployer$" "$work/log"
    expect "^\[LOG\] .*built for a client of another house" "$work/log"
    expect "^\[STATUS\] .* -> success$" "$work/log"
'

# SLIPWAY_SCALINGO names a client that is there. Else the Go module proxy is asked for it; go checks
# what it gets against the checksum database.
client=${SLIPWAY_SCALINGO:-$shared/scalingo-$client_version/scalingo}
get_client() {
    command -v go >/dev/null || { echo 'there is no go'; return 1; }
    GOBIN=$(dirname "$client") GOFLAGS=-mod=mod GOPATH=$work/go GOCACHE=$work/go-cache \
        CGO_ENABLED=0 timeout 900 go install "github.com/Scalingo/cli/scalingo@$client_version"
}
scalingo() {
    SCALINGO_AUTH_URL=http://127.0.0.1:$http_port SCALINGO_API_TOKEN=$token \
        DISABLE_UPDATE_CHECKER=true DISABLE_INTERACTIVE=true timeout 120 "$client" --app hello "$@"
}

if [ -x "$client" ] || get_client >"$work/get-client" 2>&1; then
    check 'the real client deploys an archive and follows the log to its end' '
        scalingo deploy "$work/app.tar.gz" v2 >"$work/log" 2>&1
        cat "$work/log"
        expect "\[LOG\] .*built for a client of another house" "$work/log"
        expect "\[STATUS\] New status: .*success" "$work/log"
    '
    check 'it lists the deployments, and shows the log of the last one' '
        scalingo deployments >"$work/log" 2>&1
        cat "$work/log"
        expect "success" "$work/log"
        expect "v2" "$work/log"
        scalingo deployment-logs >"$work/log" 2>&1
        expect "built for a client of another house" "$work/log"
    '
    check 'a build that fails fails the client' '
        echo exit 1 >"$work/tree/hello-1.0/build.sh"
        tar -C "$work/tree" -czf "$work/broken.tar.gz" hello-1.0
        must_fail scalingo deploy "$work/broken.tar.gz" v3 >"$work/log" 2>&1
        expect "\[STATUS\] New status: .*build-error" "$work/log"
    '
    check 'it forgets the cache' '
        scalingo deployment-delete-cache >"$work/log" 2>&1
        expect "successfully deleted" "$work/log"
    '
else
    echo "skipped: the real client: $(tail -n 1 "$work/get-client")"
    echo "skipped: only its recorded requests were played"
fi
chmod -R u+w "$work/go" 2>/dev/null || true
finish
